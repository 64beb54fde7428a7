use std::time::Duration;

use super::*;
use crate::bus::{Caller, InFlight, ReplyTo};
use crate::name::{Exchange, Method, Topic};
use crate::payload::Payload;
use crate::reply::Reply;

/// The connection that a request came by.
#[derive(Default)]
struct Asker(Mutex<Vec<CallError>>);

impl ReplyTo for Asker {
    fn reply(&self, _id: u64, reply: Reply) {
        if let Reply::Failed(error) = reply {
            self.0.lock().unwrap().push(error);
        }
    }

    fn beat(&self, _id: u64) {}
}

/// C-DL-1: whoever looks for those that were given up may find one whose own time is over first.
#[test]
fn a_request_set_aside_whose_deadline_has_passed_is_told_so() {
    let identity = Caller::this_process("test");
    let options = LinkOptions::new("test:", identity);
    let (_outbox, mut intake) = outbox(&options, Arc::default());
    let asker = Arc::new(Asker::default());
    let (now, timeout) = (Instant::now(), Duration::from_secs(3));
    let (topic, method) = (Topic::new("t").unwrap(), Method::new("m").unwrap());
    let head = Head {
        deadline: Some(now + timeout),
        ..Head::new(Verb::Call, Exchange::DEFAULT, topic, method, now)
    };
    let way = intake.ways.of(To::Named, &head);
    let in_flight = InFlight::from_remote(head, asker.clone(), 1, 100);
    let outgoing = Outgoing {
        delivery: Delivery::new(in_flight, Payload::Bytes(vec![0; 10])),
        to: To::Named,
        load: None,
    };
    intake.set_aside(way, outgoing);
    intake.purge(now);
    assert!(asker.0.lock().unwrap().is_empty());
    intake.purge(now + timeout);
    let told = std::mem::take(&mut *asker.0.lock().unwrap());
    let [error] = &told[..] else {
        panic!("{told:?}")
    };
    let late =
        matches!(error.kind(), CallErrorKind::DeadlineExceeded { timeout: of } if *of == timeout);
    assert!(late, "{error}");
    assert_eq!(error.fate(), Fate::NotSent);
    assert_eq!(intake.outbox.len(), 0);
}
