//! Requests of Massive's dialect: an accepted one is the same when it is written and read again, and its acknowledgement is JSON with
//! one message for each item.

use std::collections::BTreeSet;

use serde_json::json;
use tickcast::protocol::massive::{Item, Massive, Request, SUBSCRIBED};
use tickcast::protocol::{Dialect, NameList, Refusal, ServerMessage};

use super::parts::{self, frame};

pub(super) fn run(data: &[u8]) {
    let request = match Massive::decode(data) {
        Ok(request) => request,
        Err(refusal) => return assert_eq!(refusal, Refusal::InvalidSyntax),
    };
    let (action, params, items) = match &request {
        Request::Auth(params) => ("auth", params.clone(), None),
        Request::Subscribe(items) | Request::Unsubscribe(items) => {
            let action = if matches!(request, Request::Subscribe(_)) { "subscribe" } else { "unsubscribe" };
            let names: Vec<_> = items.iter().map(Item::name).collect();
            assert_eq!(BTreeSet::from_iter(&names).len(), names.len(), "each comes once");
            assert!(items.iter().all(|item| !item.ticker.is_empty()));
            (action, names.join(","), Some(names))
        }
    };
    let written = json!({"action": action, "params": params}).to_string();
    assert_eq!(Massive::decode(written.as_bytes()), Ok(request), "{written}");
    let Some(names) = items else { return };
    let count = names.len();
    let message = ServerMessage::Acknowledged(vec![NameList { heading: SUBSCRIBED, names }]);
    let answer = parts::json(&frame::<Massive>(&message).expect("the stream has it"));
    assert_eq!(answer.as_array().map(Vec::len), Some(count));
}
