//! Faults between processes: one is killed (`kill -9`), stopped, or breaks off in the middle of a message, and the
//! others must learn the truth about every request, soon, and go on.
//!
//! In reading order: `engine` is what the processes run on, and `wire` what they meet over; `process`,
//! `part` and `roles` are the processes of a test, which are this program again; `journal` is what workers write down of what they ran, and `verdict` compares it with what
//! callers were told; `traffic` is the load; `watched` is a process as the kernel sees it. The tests follow: `killed`,
//! `stopped`, `lifeless`, `broken_off`, `takeover`, `overloaded`, `scarcity`, `soak`.
#![cfg(any(feature = "tokio", feature = "smol"))]

mod engine;
mod journal;
mod part;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/raised.rs"]
mod raised;
mod roles;
mod traffic;
mod verdict;
mod watched;
mod wire;

#[cfg(feature = "tls")]
#[path = "../common/certificates.rs"]
mod certificates;
#[cfg(feature = "tcp")]
#[path = "../common/loopback.rs"]
mod loopback;

mod broken_off;
mod killed;
mod lifeless;
mod overloaded;
mod peer;
mod scarcity;
mod soak;
mod stopped;
mod takeover;

use std::convert::identity;

use engine::Engine;
use wire::Wire;

/// Not a test: what the processes of the tests run.
#[test]
#[ignore = "started by the other tests"]
fn as_another_process() {
    if let Some(part) = part::Part::of_the_environment() {
        roles::play(&part);
    }
}

/// Each test on each runtime of the build, one at a time: some measure.
macro_rules! on_each_runtime {
    ($over:ident: $($module:ident::$test:ident,)*) => {
        #[cfg(feature = "tokio")]
        mod on_tokio {
            $(#[test]
            fn $test() {
                crate::engine::Engine::Tokio.alone(crate::$over(crate::$module::$test));
            })*
        }

        #[cfg(feature = "smol")]
        mod on_smol {
            $(#[test]
            fn $test() {
                crate::engine::Engine::Smol.alone(crate::$over(crate::$module::$test));
            })*
        }
    };
}

/// What is said of every transport between processes.
macro_rules! over_a_wire {
    ($over:ident) => {
        on_each_runtime! {
            $over:
            killed::whoever_is_killed_every_promise_soon_tells_the_truth,
            stopped::a_worker_that_is_stopped_fails_its_own_calls_only,
            stopped::a_worker_that_drains_under_load_loses_nothing,
            lifeless::a_worker_that_is_stopped_is_noticed_in_about_the_heartbeat,
            lifeless::a_hub_that_is_stopped_is_noticed_in_about_the_heartbeat,
            lifeless::a_worker_that_is_killed_in_a_call_is_noticed_at_once,
            lifeless::a_panic_within_a_panic_ends_its_own_process_only,
            lifeless::a_retry_over_a_new_hub_finds_what_runs,
            scarcity::a_hub_without_descriptors_goes_on_and_lets_in_later,
            scarcity::connecting_without_descriptors_is_told_and_tried_again,
        }
    };
}

mod over_unix {
    over_a_wire! { unix }
}

#[cfg(feature = "tcp")]
mod over_tcp {
    over_a_wire! { tcp }
}

#[cfg(feature = "tls")]
mod over_tls {
    over_a_wire! { tls }
}

// And what needs a socket in the hands of the test, or is not about the way that messages take.
on_each_runtime! {
    identity:
    stopped::casts_that_expire_in_the_queue_cost_no_connection,
    stopped::a_caller_that_reads_nothing_delays_nobody_else,
    lifeless::a_caller_that_is_lost_finds_its_work_done,
    lifeless::beats_come_while_a_call_is_queued_or_runs_and_no_longer,
    broken_off::a_request_that_breaks_off_anywhere_is_never_dispatched,
    broken_off::a_hub_that_goes_with_unread_requests_is_a_lost_connection,
    broken_off::what_a_peer_says_before_it_goes_is_heard,
    overloaded::ten_times_the_load_is_served_as_far_as_it_goes,
    overloaded::bulk_that_nobody_takes_keeps_within_the_budget,
    overloaded::idle_connections_cost_no_time,
    soak::a_hub_has_after_many_losses_what_it_had_before,
    scarcity::a_message_for_which_there_is_no_memory_ends_its_own_connection_only,
    scarcity::a_program_that_is_started_has_no_descriptor_of_the_bus,
    scarcity::a_hub_keeps_no_descriptors_that_come_uninvited,
    scarcity::a_member_keeps_no_descriptors_that_come_uninvited,
}

fn unix(test: fn(Engine, Wire)) -> impl FnOnce(Engine) {
    move |engine| test(engine, Wire::Unix)
}

#[cfg(feature = "tcp")]
fn tcp(test: fn(Engine, Wire)) -> impl FnOnce(Engine) {
    move |engine| test(engine, Wire::Tcp)
}

#[cfg(feature = "tls")]
fn tls(test: fn(Engine, Wire)) -> impl FnOnce(Engine) {
    move |engine| test(engine, Wire::Tls)
}
