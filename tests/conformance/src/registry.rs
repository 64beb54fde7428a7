//! All cases, with the clauses that each shows.

use std::time::Duration;

use crate::case::Case;
use crate::cases::*;

/// How long a case may take before it counts as hanging. Most take milliseconds; what they must not do is be saved by
/// the default deadline of 30 s.
const USUAL: Duration = Duration::from_secs(25);
/// The same for those that count to a million.
const LONG: Duration = Duration::from_secs(150);

macro_rules! registry {
    ($d:tt $($module:ident, $limit:ident: { $($case:ident [$($clause:literal),+])* })*) => {
        /// All cases.
        pub static CASES: &[Case] = &[$($(Case {
            name: stringify!($case),
            clauses: &[$($clause),+],
            limit: $limit,
            run: $module::$case,
        }),*),*];

        /// Makes a module of tests, one for each case, that run on a setup: `suite!(name, setup)`.
        #[macro_export]
        macro_rules! suite {
            ($d name:ident, $d setup:expr) => {
                mod $d name {
                    #[allow(unused_imports)]
                    use super::*;
                    $($(
                        #[test]
                        fn $case() {
                            $crate::run(&$d setup, stringify!($case));
                        }
                    )*)*
                }
            };
        }
    };
}

registry! { $
    addressing, USUAL: {
        what_is_no_name_fails_before_anything_is_sent ["C-AD-1"]
        a_name_of_255_bytes_is_a_name ["C-AD-1"]
        a_name_is_taken_once_on_a_topic ["C-AD-1"]
        servers_without_a_name_get_different_ones ["C-AD-1"]
        a_message_goes_to_exactly_one_server_of_its_topic ["C-AD-2"]
        the_least_busy_server_gets_the_next_message ["C-AD-2"]
        under_steady_load_every_server_gets_some ["C-AD-2"]
        a_message_for_one_server_goes_to_no_other ["C-AD-3"]
        a_server_that_is_not_there_is_told_at_once ["C-AD-3", "C-OC-4"]
        a_topic_that_nobody_serves_is_told_at_once ["C-AD-3", "C-OC-4"]
        an_exchange_never_sees_the_traffic_of_another ["C-AD-5"]
        a_handler_calls_back_its_caller ["C-AD-6"]
        two_buses_call_each_other_at_once ["C-AD-6", "C-AD-7"]
        an_option_of_the_request_overrides_that_of_the_bus ["C-AD-7"]
    }
    fanout, USUAL: {
        a_fanout_cast_reaches_every_server_once ["C-AD-4"]
        a_server_that_comes_later_or_went_before_gets_no_copy ["C-AD-4"]
        a_fanout_stays_in_its_exchange ["C-AD-4", "C-AD-5"]
        each_server_gets_a_value_of_its_own ["C-AD-4", "C-VB-6"]
        fanouts_of_one_handle_start_in_the_order_sent ["C-AD-4", "C-VB-4"]
        a_fanout_that_cannot_be_sent_is_told_before ["C-AD-4", "C-OC-1"]
        a_fanout_cast_to_nobody_runs_nowhere ["C-AD-4", "C-OC-4"]
        servers_that_refuse_a_fanout_leave_it_to_the_others ["C-AD-4"]
        a_server_that_stands_still_misses_copies_and_delays_nobody ["C-AD-4", "C-OV-1", "C-OV-2"]
        a_server_that_is_a_moment_behind_is_waited_for ["C-AD-4"]
        a_fanout_that_nobody_has_room_for_is_told_so ["C-AD-4", "C-VB-1"]
        a_copy_whose_deadline_passes_in_the_queue_is_not_started ["C-AD-4", "C-DL-2"]
        a_copy_carries_what_the_cast_said ["C-AD-4", "C-AD-6"]
        fanouts_may_wait_for_a_server_in_their_order ["C-AD-4", "C-OC-4", "C-VB-4"]
    }
    fanout_offers, USUAL: {
        a_fanout_runs_where_its_version_is_served ["C-AD-4", "C-VE-2"]
        a_fanout_whose_version_nobody_serves_runs_nowhere ["C-AD-4", "C-VE-2"]
        a_gather_tells_who_does_not_serve_its_version ["C-AD-4", "C-VE-2"]
        a_fanout_in_a_namespace_runs_where_that_is ["C-AD-4", "C-VE-2"]
    }
    gather, USUAL: {
        a_gather_brings_every_servers_answer_once ["C-AD-4"]
        answers_come_in_the_order_in_which_they_arrive ["C-AD-4"]
        a_gather_is_on_its_way_when_it_returns ["C-AD-4", "C-VB-2"]
        a_gather_is_a_stream_for_async_code ["C-AD-4"]
        a_server_that_fails_is_an_answer_among_the_others ["C-AD-4", "C-OC"]
        a_gather_of_nobody_is_told_at_once ["C-AD-4", "C-OC-4"]
        the_deadline_ends_a_gather ["C-AD-4", "C-DL-1"]
        a_gather_that_is_dropped_cancels_every_call ["C-AD-4", "C-DL-3", "C-DL-5"]
        a_gather_in_a_handler_ends_with_it ["C-AD-4", "C-DL-2", "C-DL-3"]
        a_blocking_gather_in_an_async_handler_is_told ["C-AD-4", "FAULTS-A13"]
        a_server_that_goes_in_mid_call_is_told_by_its_name ["C-AD-4", "C-OC"]
        a_gather_asks_hundreds_of_servers ["C-AD-4", "C-OV-1"]
        a_gather_carries_large_values ["C-AD-4", "C-OC-1"]
        a_gather_may_wait_for_a_server ["C-AD-4", "C-OC-4"]
        the_servers_of_a_topic_can_be_listed ["C-AD-4", "C-OC-4"]
        the_buss_own_method_is_no_servers ["C-AD-1"]
    }
    handles, USUAL: {
        the_timeout_said_nearest_to_the_request_counts ["C-AD-7", "C-DL-1"]
        a_header_of_the_request_takes_the_place_of_the_handles ["C-AD-7"]
        a_handle_calls_and_serves_in_its_own_exchange ["C-AD-5", "C-AD-7"]
        deriving_a_handle_leaves_its_parent_as_it_is ["C-AD-7"]
        derived_handles_keep_the_bus_open_and_close_it ["C-AD-7", "C-LC-3"]
        what_is_no_name_is_no_exchange_of_a_handle ["C-AD-1", "C-AD-7"]
        a_handles_headers_keep_to_the_rules_of_headers ["C-AD-7", "FAULTS-P27"]
    }
    versions, USUAL: {
        a_version_serves_the_older_ones_of_its_major ["C-VE-1"]
        a_message_without_a_version_asks_for_1_0 ["C-VE-1"]
        what_is_no_version_is_told_where_it_is_given ["C-VE-1"]
        endpoints_of_several_versions_share_a_server ["C-VE-2"]
        the_first_endpoint_that_has_the_method_is_called ["C-VE-2"]
        the_error_tells_how_far_a_request_got ["C-VE-2"]
        a_server_that_could_never_be_reached_is_refused ["C-VE-2"]
        a_request_goes_to_a_server_that_serves_its_version ["C-VE-2", "C-AD-2"]
        what_no_server_serves_is_refused_with_all_that_is_offered ["C-VE-2"]
        servers_of_other_versions_come_and_go ["C-VE-2"]
        a_request_waits_for_a_server_of_its_version ["C-VE-2", "C-OC-4"]
        a_request_that_waits_for_a_version_holds_up_no_other ["C-VE-2", "C-OC-4"]
        a_request_above_the_cap_is_not_sent ["C-VE-3"]
        what_may_be_sent_is_known_beforehand ["C-VE-3"]
        a_request_overrides_the_version_of_its_client ["C-VE-3", "C-AD-7"]
        types_that_differ_are_refused_on_their_method_only ["C-VE-4"]
        a_method_that_is_not_there_is_told_with_the_nearest ["C-VE-2"]
    }
    namespaces, USUAL: {
        a_namespace_tells_endpoints_apart ["C-VE-2"]
        a_request_without_a_namespace_is_for_endpoints_without_one ["C-VE-2"]
        an_alias_reaches_the_endpoint_as_well ["C-VE-2"]
        servers_of_several_namespaces_share_a_topic ["C-VE-2", "C-AD-2"]
        a_namespace_has_versions_of_its_own ["C-VE-2"]
        a_request_overrides_the_namespace_of_its_client ["C-AD-7"]
        what_is_no_namespace_fails_before_anything_is_sent ["C-AD-1"]
        typed_services_share_a_server_by_namespace ["C-VE-2"]
        a_method_of_another_namespace_is_not_there ["C-VE-5"]
    }
    kinds, USUAL: {
        arguments_of_another_kind_are_refused_before_the_handler ["C-VE-4", "C-OC"]
        a_reply_of_another_kind_is_an_error ["C-VE-4", "C-OC"]
        what_reads_the_same_may_be_sent_as_another_type ["C-VE-4", "C-VB-6"]
        typed_and_untyped_callers_share_a_typed_server ["C-VE-4"]
        a_typed_caller_is_served_by_an_untyped_server ["C-VE-4"]
    }
    verbs, USUAL: {
        a_cast_reaches_one_handler_once ["C-VB-1"]
        a_cast_into_a_full_queue_is_told_so ["C-VB-1", "C-OV-1"]
        a_cast_can_wait_for_room ["C-VB-1"]
        a_waiting_cast_that_is_dropped_was_not_sent ["C-VB-1"]
        invoke_does_not_wait_for_the_server ["C-VB-2"]
        invokes_run_at_the_same_time ["C-VB-2"]
        blocking_handlers_run_at_the_same_time ["C-VB-2"]
        call_and_invoke_have_the_same_outcome ["C-VB-3"]
        a_request_that_is_dropped_was_never_sent ["C-VB-3"]
        every_kind_of_handler_answers_every_verb ["C-VB-3"]
        requests_of_one_handle_start_in_the_order_sent ["C-VB-4"]
        a_serial_server_ends_them_in_the_order_sent ["C-VB-4"]
        handlers_run_up_to_the_servers_limit_and_no_further ["C-VB-4"]
    }
    values, USUAL: {
        what_looks_empty_is_an_answer ["C-VB-6"]
        values_come_back_equal ["C-VB-6"]
        not_a_number_passes_through_with_its_bits ["C-VB-6", "FAULTS-D10"]
        what_a_handler_does_to_its_arguments_stays_with_it ["C-VB-6"]
    }
    deadlines, USUAL: {
        a_timeout_of_zero_has_passed_at_once ["C-DL-1"]
        a_deadline_ends_the_wait_for_a_handler_that_runs ["C-DL-1"]
        an_idempotent_request_is_retryable_after_its_deadline ["C-DL-1", "C-OC"]
        a_request_whose_deadline_passes_in_the_queue_is_not_started ["C-DL-1", "C-DL-2"]
        a_cast_whose_deadline_passes_in_the_queue_is_not_started ["C-DL-2"]
        the_handler_knows_the_time_that_is_left ["C-DL-2"]
        nested_calls_inherit_the_deadline ["C-DL-2"]
        a_nested_call_ends_at_the_outer_deadline ["C-DL-2", "C-OC"]
        a_late_reply_is_dropped ["C-DL-5"]
        a_reply_in_time_disarms_the_deadline ["C-DL-5"]
    }
    cancellation, USUAL: {
        a_dropped_promise_drops_the_running_handler_at_its_next_await ["C-DL-3"]
        a_dropped_promise_takes_its_request_out_of_the_queue ["C-DL-3"]
        a_request_that_is_made_and_dropped_within_a_callback_holds_up_no_other ["C-DL-3"]
        cancel_ends_the_wait_and_the_handler ["C-DL-3"]
        cancel_after_the_reply_changes_nothing ["C-DL-3"]
        a_detached_promise_lets_the_request_run ["C-DL-3"]
        a_blocking_handler_sees_that_it_is_cancelled ["C-DL-3"]
        a_cancellation_reaches_nested_calls ["C-DL-3"]
        a_cancellation_wakes_a_blocking_handler_from_its_nested_call ["C-DL-3"]
        a_slot_is_free_when_the_handler_has_ended_and_not_before ["C-DL-4"]
        a_cancelled_call_counts_for_its_server_until_its_handler_has_ended ["C-AD-2", "C-DL-4"]
        cancelled_requests_leave_the_whole_capacity ["C-DL-3", "C-DL-4"]
        a_wait_that_times_out_cancels_nothing ["C-DL-3"]
    }
    outcome, USUAL: {
        arguments_that_cannot_be_encoded_are_not_sent ["C-OC-1"]
        a_result_that_cannot_be_encoded_is_an_error_at_once ["C-OC-1"]
        a_handler_that_panics_answers_at_once_and_the_server_goes_on ["C-OC-2"]
        a_handler_that_panics_after_an_await_answers_at_once ["C-OC-2"]
        the_applications_error_arrives_as_its_type ["C-OC-3"]
        the_applications_error_of_another_type_arrives_with_its_kind_and_text ["C-OC-3"]
        an_error_keeps_its_kind_through_a_middle_service ["C-OC-3"]
        arguments_of_another_shape_are_refused_before_the_handler ["C-OC"]
        a_reply_of_another_shape_fails_its_own_call_only ["C-OC"]
        a_failure_says_what_was_asked_of_whom_and_when ["C-OC"]
        an_invoke_that_cannot_be_sent_is_told_by_its_promise ["C-OC"]
        a_loop_of_services_is_stopped ["C-OC", "FAULTS-A16"]
    }
    sizes, USUAL: {
        arguments_above_the_limit_are_not_sent_and_the_connection_lives ["C-OC-1"]
        a_result_above_the_limit_is_an_error_at_once ["C-OC-1"]
        large_and_small_messages_share_a_connection ["C-OV-2"]
        bytes_that_are_shared_arrive_as_they_were_sent ["C-OC-1", "C-VB-6"]
    }
    overload, USUAL: {
        a_queue_takes_as_many_requests_as_it_says ["C-OV-1"]
        a_queue_takes_as_many_bytes_as_it_says ["C-OV-1"]
        a_server_that_stands_still_delays_no_other ["C-OV-2"]
        what_decodes_to_too_much_is_refused_for_its_own_call_only ["C-OV-3"]
    }
    policies, USUAL: {
        a_busy_server_tells_for_how_long_the_longer_it_stands_still ["C-OV-1"]
        calls_wait_for_a_server_that_blocks ["C-OV-1", "C-VB-4"]
        casts_wait_for_a_server_that_blocks ["C-OV-1", "C-VB-1"]
        what_comes_later_does_not_overtake_what_waits_for_room ["C-VB-4"]
        a_call_that_waits_for_room_ends_at_its_deadline ["C-DL-1", "C-OV-1"]
        a_call_that_waits_for_room_can_be_given_up ["C-DL-3", "C-OV-1"]
        what_waits_for_one_server_delays_no_other ["C-OV-2"]
        a_bus_that_is_closed_fails_what_waits_for_room ["C-LC-3", "C-OV-1"]
        a_server_that_stops_refuses_what_waits_for_room ["C-LC-1", "C-OV-1"]
        a_lossy_server_drops_the_oldest_casts_and_counts_them ["C-OV-1", "FAULTS-R5"]
        a_call_that_loses_its_place_is_told_so ["C-OV-1", "C-OC"]
        a_lossy_server_makes_room_in_bytes ["C-OV-1", "FAULTS-R6"]
        a_handles_policy_does_not_change_that_of_a_server ["C-OV-1"]
        a_late_reply_is_counted ["C-DL-5"]
    }
    context, USUAL: {
        headers_reach_the_handler_in_the_callers_order ["C-AD-7"]
        headers_that_may_not_be_sent_are_refused ["FAULTS-P27", "FAULTS-S10"]
        the_handler_knows_what_was_called_and_by_whom ["C-AD-6"]
        contexts_of_requests_that_run_at_once_are_not_mixed_up ["C-DL-2"]
        a_blocking_wait_in_an_async_handler_is_told_and_does_not_hang ["FAULTS-A13"]
    }
    authorisation, USUAL: {
        every_request_is_asked_about_before_its_handler ["C-VE-5"]
        a_typed_request_is_asked_about_like_any_other ["C-VE-5"]
        what_is_denied_is_not_executed ["C-VE-5", "C-OC"]
        a_refusal_does_not_tell_whether_the_method_exists ["C-VE-5", "FAULTS-S8"]
        deny_wins ["C-VE-5", "FAULTS-S9"]
        the_policy_knows_the_caller_as_the_handler_does ["C-AD-6", "FAULTS-S10"]
        a_bus_and_a_server_must_both_allow ["C-VE-5"]
        a_policy_that_panics_denies ["C-VE-5"]
        every_server_of_a_fanout_asks_its_own_policy ["C-AD-4", "C-VE-5"]
    }
    lifecycle, USUAL: {
        stop_refuses_what_is_queued_and_lets_end_what_runs ["C-LC-1", "FAULTS-A20"]
        a_dropped_server_lets_end_what_runs ["C-LC-1"]
        drain_finishes_what_was_accepted ["C-LC-1"]
        drain_ends_at_its_deadline_and_says_what_is_left ["C-LC-1"]
        stop_and_drain_may_come_from_several_threads ["C-LC-1"]
        a_closed_bus_fails_what_is_outstanding_and_takes_nothing_new ["C-LC-3"]
        dropping_the_last_handle_fails_what_is_outstanding ["C-LC-3"]
        a_bus_lives_as_long_as_its_server ["C-LC-3"]
        no_order_of_drops_hangs ["C-LC-3"]
        a_handle_may_be_dropped_in_a_handler ["C-LC-3", "FAULTS-A19"]
        a_server_may_start_again_under_its_name_at_once ["C-LC-4"]
        an_address_may_be_opened_again_at_once ["C-LC-4"]
        a_server_that_cannot_start_leaves_nothing_behind ["C-LC-1"]
    }
    fates, USUAL: {
        every_failure_tells_the_truth_about_its_handler ["C-OC"]
        what_fails_in_the_queue_tells_the_truth ["C-OC", "C-DL-3"]
        what_is_given_up_while_it_runs_tells_the_truth ["C-OC", "C-DL-1"]
        what_a_server_that_stops_tells_is_true ["C-OC", "C-LC-1"]
        what_a_bus_that_closes_tells_is_true ["C-OC", "C-LC-3"]
        an_error_without_its_type_has_kind_text_and_details ["C-OC-3"]
        an_error_passes_through_a_service_that_does_not_know_it ["C-OC-3"]
        a_failure_keeps_its_kind_and_fate_over_two_hops ["C-OC", "C-OC-3"]
        expected_errors_are_counted_apart_from_failures ["C-OC-3"]
        a_server_counts_what_became_of_its_requests ["C-OC-3"]
        a_handler_knows_the_key_that_it_serves ["C-VB-5"]
    }
    heartbeats, USUAL: {
        a_call_that_takes_long_lives_while_its_server_beats ["C-DL-6"]
        no_beat_comes_after_the_reply ["C-DL-6"]
        a_quick_call_is_not_beaten_for ["C-DL-6"]
        what_no_server_runs_gets_no_beat ["C-DL-6", "C-OC-4"]
        nobody_is_beaten_for_who_has_given_up ["C-DL-3", "C-DL-6"]
        a_heartbeat_does_not_move_the_deadline ["C-DL-1", "C-DL-6"]
        a_heartbeat_that_cannot_be_kept_is_not_sent ["C-DL-6"]
        many_calls_are_beaten_for_at_the_same_time ["C-DL-6"]
        a_nested_call_has_a_heartbeat_of_its_own ["C-DL-6"]
    }
    idempotency, USUAL: {
        a_repetition_attaches_to_what_runs ["C-VB-5"]
        a_repetition_attaches_to_what_is_queued ["C-VB-5"]
        a_repetition_of_what_is_done_gets_the_same_outcome ["C-VB-5", "C-OC-3"]
        another_payload_under_a_key_is_a_conflict ["C-VB-5"]
        a_key_means_something_for_its_method_only ["C-VB-5"]
        a_key_is_known_by_every_connection_of_its_caller ["C-VB-5"]
        one_who_gives_up_leaves_the_run_to_the_others ["C-DL-3", "C-VB-5"]
        a_run_that_all_give_up_is_cancelled_and_its_key_free ["C-DL-3", "C-DL-4", "C-VB-5"]
        what_did_not_run_may_be_asked_for_again ["C-VB-5"]
        a_server_remembers_as_many_keys_as_it_says ["C-VB-5"]
        a_server_remembers_as_many_bytes_as_it_says ["C-VB-5"]
        a_server_remembers_for_as_long_as_it_says ["C-VB-5"]
        a_window_of_nothing_still_attaches ["C-VB-5"]
        a_cast_under_a_key_that_was_seen_does_nothing ["C-VB-1", "C-VB-5"]
        a_key_goes_to_one_of_several_servers ["C-AD-2", "C-VB-5"]
        those_who_ask_at_once_get_one_run ["C-VB-5"]
        all_who_wait_for_one_run_are_beaten_for ["C-DL-6", "C-VB-5"]
        a_run_under_a_key_ends_with_its_deadline ["C-DL-1", "C-VB-5"]
    }
    retries, USUAL: {
        a_busy_server_is_asked_again_until_it_has_room ["C-OC", "C-OV-1"]
        a_server_that_comes_later_is_found ["C-OC", "C-OC-4"]
        when_trying_is_over_the_last_error_is_told ["C-OC"]
        what_ran_is_not_tried_again ["C-OC", "C-VB-5"]
        what_would_fail_again_is_not_tried_again ["C-OC"]
        one_deadline_covers_all_attempts ["C-DL-1"]
        an_attempt_that_the_deadline_cuts_off_is_of_unknown_fate ["C-DL-1", "C-OC"]
        a_budget_that_is_empty_ends_the_retries ["C-OC"]
        the_requests_of_a_bus_share_a_budget ["C-OC"]
        a_dropped_promise_ends_the_attempts ["C-DL-3"]
        a_detached_promise_lets_the_attempts_go_on ["C-DL-3"]
        retries_in_a_handler_end_with_its_call ["C-DL-2", "C-DL-3"]
        a_bus_that_goes_ends_the_retries_that_pause ["C-LC-3"]
        a_blocking_wait_with_retries_in_an_async_handler_is_told ["C-VB-3", "FAULTS-A13"]
        call_and_invoke_try_again_alike ["C-VB-3"]
    }
    pressure, USUAL: {
        calls_to_a_server_that_is_stuck_leave_room_for_others ["C-OV-2"]
        casts_to_a_server_that_is_stuck_leave_room_for_others ["C-OV-2", "C-VB-4"]
        a_bus_holds_no_more_than_it_may ["C-OV-1", "FAULTS-R6"]
    }
    draining, USUAL: {
        a_stopped_server_starts_again_under_its_name ["C-LC-1", "C-LC-4"]
        what_ran_before_counts_in_a_server_that_starts_again ["C-LC-1", "C-DL-4"]
        a_server_that_is_started_while_it_drains_goes_on ["C-LC-1"]
        start_stop_drain_and_close_may_come_in_any_order_from_several_threads ["C-LC-1"]
        a_closed_server_cuts_off_what_runs_and_stays_closed ["C-LC-1"]
        a_drain_reports_what_became_of_everything ["C-LC-1"]
        a_blocking_handler_sees_that_its_drain_is_over ["C-LC-1", "C-DL-3"]
        a_draining_servers_handler_may_call_out_and_be_called_back ["C-LC-1"]
        a_stopped_servers_handler_may_go_on_to_call ["C-AD-6", "C-LC-1"]
        a_draining_buss_handler_may_call_out ["C-LC-1"]
        a_bus_that_drains_finishes_what_it_has ["C-LC-1", "FAULTS-T22"]
        a_bus_that_drains_waits_for_its_own_replies ["C-LC-1"]
        casts_leave_before_a_drained_bus_is_closed ["C-LC-1", "FAULTS-T23"]
        a_bus_drains_no_longer_than_it_may ["C-LC-1"]
        a_bus_may_be_drained_and_closed_from_several_threads ["C-LC-1"]
    }
    retiring, USUAL: {
        no_cast_is_lost_by_a_server_that_drains ["C-LC-1", "FAULTS-T22"]
        a_server_that_drains_does_what_is_on_its_way ["C-LC-1", "FAULTS-T22"]
    }
    reconnect, USUAL: {
        a_bus_says_that_it_is_connected_until_it_is_closed ["C-LC-2"]
        events_end_when_the_last_handle_is_dropped ["C-LC-2", "C-LC-3"]
        a_request_may_wait_for_its_server ["C-OC-4"]
        what_waited_for_a_server_is_not_overtaken ["C-OC-4", "C-VB-4"]
        who_waits_for_one_server_is_served_by_no_other ["C-OC-4", "C-AD-3"]
        who_waits_in_vain_is_told_at_the_deadline_and_leaves_nothing ["C-OC-4", "C-DL-1"]
        who_waits_for_a_server_can_be_cancelled ["C-OC-4", "C-DL-3"]
        many_who_wait_for_a_server_hold_up_nobody ["C-OC-4", "C-OV-1", "C-OV-2"]
        all_goes_on_when_the_hub_goes ["C-LC-2", "FAULTS-T20"]
        fanouts_reach_every_server_once_when_the_hub_has_gone ["C-AD-4", "C-LC-2"]
        what_was_in_flight_fails_at_once_when_the_hub_goes ["C-LC-2", "C-OC"]
    }
    numbers, LONG: {
        a_million_casts_from_eight_threads_arrive_once_each_in_order ["C-VB-4", "C-VB-5", "FAULTS-C1"]
        blocking_handlers_that_wait_for_blocking_ones_come_to_their_end ["C-OV-1", "C-VB-3"]
        ten_thousand_invokes_in_flight_end_together ["C-VB-2"]
        a_storm_of_dropped_promises_leaves_every_table_empty ["C-DL-5", "FAULTS-R11"]
        promises_dropped_at_once_leave_every_table_empty ["C-DL-5"]
    }
}
