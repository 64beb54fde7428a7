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
        a_message_for_one_server_goes_to_no_other ["C-AD-3"]
        a_server_that_is_not_there_is_told_at_once ["C-AD-3", "C-OC-4"]
        a_topic_that_nobody_serves_is_told_at_once ["C-AD-3", "C-OC-4"]
        an_exchange_never_sees_the_traffic_of_another ["C-AD-5"]
        a_handler_calls_back_its_caller ["C-AD-6"]
        two_buses_call_each_other_at_once ["C-AD-6", "C-AD-7"]
        an_option_of_the_request_overrides_that_of_the_bus ["C-AD-7"]
    }
    versions, USUAL: {
        a_version_serves_the_older_ones_of_its_major ["C-VE-1"]
        a_message_without_a_version_asks_for_1_0 ["C-VE-1"]
        types_that_differ_are_refused_on_their_method_only ["C-VE-4"]
        a_method_that_is_not_there_is_told_with_the_nearest ["C-VE-2"]
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
        cancel_ends_the_wait_and_the_handler ["C-DL-3"]
        cancel_after_the_reply_changes_nothing ["C-DL-3"]
        a_detached_promise_lets_the_request_run ["C-DL-3"]
        a_blocking_handler_sees_that_it_is_cancelled ["C-DL-3"]
        a_cancellation_reaches_nested_calls ["C-DL-3"]
        a_cancellation_wakes_a_blocking_handler_from_its_nested_call ["C-DL-3"]
        a_slot_is_free_when_the_handler_has_ended_and_not_before ["C-DL-4"]
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
    draining, USUAL: {
        a_stopped_server_starts_again_under_its_name ["C-LC-1", "C-LC-4"]
        what_ran_before_counts_in_a_server_that_starts_again ["C-LC-1", "C-DL-4"]
        a_server_that_is_started_while_it_drains_goes_on ["C-LC-1"]
        start_stop_drain_and_close_may_come_in_any_order_from_several_threads ["C-LC-1"]
        a_closed_server_cuts_off_what_runs_and_stays_closed ["C-LC-1"]
        a_drain_reports_what_became_of_everything ["C-LC-1"]
        a_blocking_handler_sees_that_its_drain_is_over ["C-LC-1", "C-DL-3"]
        a_draining_servers_handler_may_call_out_and_be_called_back ["C-LC-1"]
        a_bus_that_drains_finishes_what_it_has ["C-LC-1", "FAULTS-T22"]
        a_bus_that_drains_waits_for_its_own_replies ["C-LC-1"]
        casts_leave_before_a_drained_bus_is_closed ["C-LC-1", "FAULTS-T23"]
        a_bus_drains_no_longer_than_it_may ["C-LC-1"]
        a_bus_may_be_drained_and_closed_from_several_threads ["C-LC-1"]
    }
    numbers, LONG: {
        a_million_casts_from_eight_threads_arrive_once_each_in_order ["C-VB-4", "C-VB-5", "FAULTS-C1"]
        blocking_handlers_that_wait_for_blocking_ones_come_to_their_end ["C-OV-1", "C-VB-3"]
        ten_thousand_invokes_in_flight_end_together ["C-VB-2"]
        a_storm_of_dropped_promises_leaves_every_table_empty ["C-DL-5", "FAULTS-R11"]
        promises_dropped_at_once_leave_every_table_empty ["C-DL-5"]
    }
}
