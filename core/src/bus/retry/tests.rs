use super::*;
use crate::error::Stage;

fn error(kind: CallErrorKind, fate: Fate) -> CallError {
    CallError::new(kind, fate, Stage::Accepted)
}

fn idempotent(error: CallError) -> CallError {
    error.of_request("a.b".into(), Duration::ZERO, true)
}

#[test]
fn pauses_double_up_to_the_longest_and_are_drawn_from_zero_on() {
    let (first, longest) = (Duration::from_millis(10), Duration::from_millis(70));
    let retry = Retry::new().attempts(u32::MAX).backoff(first, longest);
    let lost = error(CallErrorKind::ConnectionLost("x".into()), Fate::NotSent);
    for (attempts, most) in [(1, 10), (2, 20), (3, 40), (4, 70), (5, 70), (90, 70)] {
        let most = Duration::from_millis(most);
        let drawn: Vec<_> = (0..300)
            .map(|_| retry.pause(attempts, &lost).unwrap())
            .collect();
        assert!(drawn.iter().all(|pause| *pause <= most), "{attempts}");
        // By chance, over the whole range: each half has its share.
        let short = drawn.iter().filter(|pause| **pause < most / 2).count();
        assert!((75..225).contains(&short), "{attempts}: {short} of 300");
    }
}

#[test]
fn a_server_that_says_when_to_come_back_is_taken_at_its_word() {
    let retry_after = Duration::from_millis(700);
    let busy = error(CallErrorKind::Busy { retry_after }, Fate::NotExecuted);
    let pause = Retry::new().pause(1, &busy).unwrap();
    let most = retry_after + Duration::from_millis(50);
    assert!((retry_after..=most).contains(&pause), "{pause:?}");
}

#[test]
fn only_what_is_safe_and_may_pass_is_tried_again() {
    let lost = || CallErrorKind::ConnectionLost("x".into());
    let again = |error: &CallError| Retry::new().pause(1, error).is_some();
    assert!(again(&error(lost(), Fate::NotSent)));
    assert!(again(&error(lost(), Fate::NotExecuted)));
    assert!(!again(&error(lost(), Fate::Unknown)));
    assert!(again(&idempotent(error(lost(), Fate::Unknown))));
    // It ran: its answer would be the same.
    assert!(!again(&idempotent(error(
        CallErrorKind::Panicked,
        Fate::Executed
    ))));
    // Safe, and in vain.
    for kind in [
        CallErrorKind::Forbidden("x".into()),
        CallErrorKind::BadRequest("x".into()),
        CallErrorKind::Closed,
        CallErrorKind::KeyConflict { method: "m".into() },
    ] {
        assert!(!again(&error(kind.clone(), Fate::NotExecuted)), "{kind}");
    }
}

#[test]
fn there_are_as_many_attempts_as_were_asked_for() {
    let lost = error(CallErrorKind::ConnectionLost("x".into()), Fate::NotSent);
    for most in 0..5 {
        let retry = Retry::new().attempts(most);
        let attempts = (1..).find(|&made| retry.pause(made, &lost).is_none());
        assert_eq!(attempts, Some(most.max(1)));
    }
}

#[test]
fn the_fate_of_all_is_never_stronger_than_the_truth() {
    use Fate::{Executed, NotExecuted, NotSent, Unknown};
    let all = [NotSent, NotExecuted, Executed, Unknown];
    // What is possible for the number of runs, by the fate of one attempt.
    let runs = |fate| match fate {
        NotSent | NotExecuted => 0..=0,
        Executed => 1..=1,
        Unknown => 0..=1,
    };
    for before in all.into_iter().filter(|fate| *fate != Executed) {
        for last in all {
            let told = fate_of_all(Some(before), last);
            let (a, b) = (runs(before), runs(last));
            let (least, most) = (a.start() + b.start(), a.end() + b.end());
            match told {
                NotSent | NotExecuted => assert_eq!(most, 0, "{before:?} {last:?}"),
                Executed => assert!(least >= 1, "{before:?} {last:?}"),
                Unknown => {}
            }
        }
    }
    assert_eq!(fate_of_all(Some(NotExecuted), NotSent), NotExecuted);
    assert_eq!(fate_of_all(None, NotSent), NotSent);
}
