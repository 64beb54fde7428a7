//! The head of a request: all of its frame that is not payload (PR-REQ).

use std::time::Duration;

use super::config::{HEADER_BYTES_MAX, HEADERS_MAX, Role};
use super::interning::{Heard, Told};
use super::message::{
    BindId, Caller, Destination, IdempotencyKey, Method, RareHeader, RequestHeader, Target,
};
use super::wire::{Parsed, Reader, malformed, put_counted, put_size, put_varint, varint_len};

const DEADLINE: u8 = 1;
const CODEC: u8 = 2;
const DEPTH: u8 = 4;
const FANOUT: u8 = 8;
const EXTENSIONS: u8 = 16;
const PARTS: u8 = 32;
const KNOWN: u8 = DEADLINE | CODEC | DEPTH | FANOUT | EXTENSIONS | PARTS;

/// Tags of extensions; who does not know an odd one must not execute the request (PR-REQ-6).
const HEADERS: u64 = 2;
const IDEMPOTENCY_KEY: u64 = 4;
const CALLER: u64 = 6;
const HEARTBEAT: u64 = 9;
const WAIT_FOR_SERVER: u64 = 10;

/// Keys with this prefix are the bus's own and never taken from the wire (S10).
const RESERVED_PREFIX: &str = "bus.";

/// More than the head of any request without headers can have: seven names and small numbers.
const HEAD_MAX: usize = 2304;

/// What a request's head tells beside the header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// How far its id lies above the one before; 0 is never legal.
    pub(super) step: u64,
    pub(super) header: RequestHeader,
    /// Of the whole payload, where the rest comes in chunks.
    pub(super) total: Option<usize>,
    /// Whether an extension that must be understood is not.
    pub(super) unsupported: bool,
}

/// Whether headers keep the rules of P27 and P28, and use no reserved key.
pub(super) fn headers_are_legal(headers: &[(String, String)]) -> bool {
    let key =
        |key: &str| super::name::check(key.as_bytes()).is_ok() && !key.starts_with(RESERVED_PREFIX);
    headers.len() <= HEADERS_MAX
        && header_bytes(headers) <= HEADER_BYTES_MAX
        && headers.iter().all(|(name, _)| key(name))
}

/// At most this many bytes are taken by the head of such a request.
pub(super) fn head_bound(header: &RequestHeader) -> usize {
    let Some(rare) = &header.rare else {
        return HEAD_MAX;
    };
    // Two lengths of at most two bytes for each header.
    let lengths = rare.headers.len().saturating_mul(4);
    HEAD_MAX
        .saturating_add(header_bytes(&rare.headers))
        .saturating_add(lengths)
}

fn header_bytes(headers: &[(String, String)]) -> usize {
    headers.iter().fold(0, |sum, (key, value)| {
        sum.saturating_add(key.len()).saturating_add(value.len())
    })
}

/// Writes the heads of one direction; knows what names the peer was told.
#[derive(Debug)]
pub(super) struct HeadWriter {
    targets: Told<Target>,
    methods: Told<Method>,
    callers: Told<Caller>,
    scratch: Vec<u8>,
}

impl HeadWriter {
    pub(super) fn new(names: usize) -> Self {
        Self {
            targets: Told::new(names),
            methods: Told::new(names),
            callers: Told::new(names),
            scratch: Vec::new(),
        }
    }

    pub(super) fn put(
        &mut self,
        out: &mut Vec<u8>,
        step: u64,
        header: &RequestHeader,
        remaining: Option<Duration>,
        total: Option<usize>,
    ) {
        put_varint(out, step);
        let rare = header.rare.as_deref().map_or(0, rare_extensions);
        let count = rare
            .saturating_add(header.caller.is_some().into())
            .saturating_add(header.wait_for_server.into());
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.push(
            flag(remaining.is_some(), DEADLINE)
                | flag(header.codec != 0, CODEC)
                | flag(header.depth != 0, DEPTH)
                | flag(header.fanout, FANOUT)
                | flag(count != 0, EXTENSIONS)
                | flag(total.is_some(), PARTS),
        );
        match &header.destination {
            Destination::Topic(target) => self.targets.put(target, out),
            Destination::Bound(BindId(id)) => put_varint(out, (*id).into()),
        }
        self.methods.put(&header.method, out);
        if let Some(remaining) = remaining {
            put_varint(out, millis(remaining));
        }
        if header.codec != 0 {
            out.push(header.codec);
        }
        if header.depth != 0 {
            out.push(header.depth);
        }
        if count != 0 {
            put_size(out, count);
            self.put_extensions(out, header);
        }
        if let Some(total) = total {
            put_size(out, total);
        }
    }

    fn put_extensions(&mut self, out: &mut Vec<u8>, header: &RequestHeader) {
        let rare = header.rare.as_deref();
        if let Some(rare) = rare {
            put_headers(&rare.headers, out);
        }
        if let Some(IdempotencyKey(key)) = rare.and_then(|rare| rare.idempotency_key.as_ref()) {
            put_varint(out, IDEMPOTENCY_KEY);
            put_counted(out, key);
        }
        if let Some(caller) = &header.caller {
            put_varint(out, CALLER);
            self.scratch.clear();
            self.callers.put(caller, &mut self.scratch);
            put_counted(out, &self.scratch);
        }
        if let Some(heartbeat) = rare.and_then(|rare| rare.heartbeat) {
            put_varint(out, HEARTBEAT);
            let millis = millis(heartbeat);
            put_size(out, varint_len(millis));
            put_varint(out, millis);
        }
        if header.wait_for_server {
            put_varint(out, WAIT_FOR_SERVER);
            put_counted(out, &[]);
        }
    }
}

/// How many extensions it takes to say this.
fn rare_extensions(rare: &RareHeader) -> usize {
    let extensions = [
        !rare.headers.is_empty(),
        rare.idempotency_key.is_some(),
        rare.heartbeat.is_some(),
    ];
    extensions.iter().filter(|&&present| present).count()
}

fn put_headers(headers: &[(String, String)], out: &mut Vec<u8>) {
    if headers.is_empty() {
        return;
    }
    put_varint(out, HEADERS);
    let counted = |text: &String| varint_len(text.len() as u64).saturating_add(text.len());
    put_size(
        out,
        headers.iter().fold(0, |sum, (key, value)| {
            sum.saturating_add(counted(key))
                .saturating_add(counted(value))
        }),
    );
    for (key, value) in headers {
        put_counted(out, key.as_bytes());
        put_counted(out, value.as_bytes());
    }
}

/// Reads the heads of one direction.
#[derive(Debug)]
pub(super) struct HeadReader {
    role: Role,
    targets: Heard<Target>,
    methods: Heard<Method>,
    callers: Heard<Caller>,
    longest_deadline: Duration,
}

impl HeadReader {
    /// For the given side: a hub reads topics, a member its own registrations.
    pub(super) fn new(role: Role, names: usize, longest_deadline: Duration) -> Self {
        Self {
            role,
            targets: Heard::new(names),
            methods: Heard::new(names),
            callers: Heard::new(names),
            longest_deadline,
        }
    }

    /// Leaves the reader at the payload.
    pub(super) fn parse(&mut self, reader: &mut Reader<'_>) -> Parsed<Head> {
        let step = reader.varint()?;
        let flags = reader.flags(KNOWN)?;
        let has = |bit| flags & bit != 0;
        let destination = match self.role {
            Role::Hub => Destination::Topic(self.targets.parse(reader)?),
            Role::Member => Destination::Bound(BindId(reader.u32()?)),
        };
        let method = self.methods.parse(reader)?;
        let mut remaining = None;
        if has(DEADLINE) {
            // No deadline is a moment from now on: what is far is cut, not refused.
            remaining = Some(Duration::from_millis(reader.varint()?).min(self.longest_deadline));
        }
        let codec = if has(CODEC) {
            non_zero(reader.byte()?)?
        } else {
            0
        };
        let depth = if has(DEPTH) {
            non_zero(reader.byte()?)?
        } else {
            0
        };
        let mut head = Head {
            step,
            header: RequestHeader {
                destination,
                method,
                codec,
                remaining,
                depth,
                fanout: has(FANOUT),
                wait_for_server: false,
                caller: None,
                rare: None,
            },
            total: None,
            unsupported: false,
        };
        if has(EXTENSIONS) {
            self.parse_extensions(reader, &mut head)?;
        }
        if has(PARTS) {
            head.total = Some(reader.size()?);
        }
        Ok(head)
    }

    fn parse_extensions(&mut self, reader: &mut Reader<'_>, head: &mut Head) -> Parsed<()> {
        let count = reader.size()?;
        if count == 0 {
            return malformed("a list of no extensions");
        }
        let mut last = 0;
        for _ in 0..count {
            let tag = reader.varint()?;
            if tag <= last {
                return malformed("extensions out of order");
            }
            last = tag;
            let mut value = Reader::new(reader.counted()?);
            match tag {
                HEADERS => head.header.rare_mut().headers = parse_headers(value)?,
                IDEMPOTENCY_KEY => {
                    head.header.rare_mut().idempotency_key = Some(IdempotencyKey(value.array()?));
                    value.end()?;
                }
                CALLER => {
                    // Read in any case, to keep the dictionaries equal; believed from a hub only.
                    let caller = self.callers.parse(&mut value)?;
                    value.end()?;
                    head.header.caller = (self.role == Role::Member).then_some(caller);
                }
                HEARTBEAT => {
                    let heartbeat = Duration::from_millis(value.varint()?);
                    head.header.rare_mut().heartbeat = Some(heartbeat);
                    value.end()?;
                }
                WAIT_FOR_SERVER => {
                    value.end()?;
                    head.header.wait_for_server = true;
                }
                unknown => head.unsupported |= unknown % 2 == 1,
            }
        }
        Ok(())
    }
}

fn parse_headers(mut reader: Reader<'_>) -> Parsed<Vec<(String, String)>> {
    let (mut count, mut bytes) = (0_usize, 0_usize);
    let mut headers = Vec::new();
    if reader.is_empty() {
        return malformed("an empty list of headers");
    }
    while !reader.is_empty() {
        let (key, value) = (reader.key()?, reader.text()?);
        count = count.saturating_add(1);
        bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
        if count > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
            return malformed("more headers than allowed");
        }
        if !key.starts_with(RESERVED_PREFIX) {
            headers.push((key.to_owned(), value.to_owned()));
        }
    }
    Ok(headers)
}

fn non_zero(byte: u8) -> Parsed<u8> {
    if byte == 0 {
        malformed("a field that says nothing")
    } else {
        Ok(byte)
    }
}

/// Whole milliseconds, rounded up: a deadline must not pass earlier at the peer than here.
fn millis(remaining: Duration) -> u64 {
    let rest = remaining.subsec_nanos().div_ceil(1_000_000);
    remaining
        .as_secs()
        .saturating_mul(1000)
        .saturating_add(rest.into())
}
