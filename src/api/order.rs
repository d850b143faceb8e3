//! Orders: a request that creates something carries a key, so that one that is sent twice counts
//! once.

use std::{cell::RefCell, future::poll_fn, pin::pin};

use bytes::Bytes;
use futures::{Sink, Stream};
use leptos::server_fn::{
    client::{Client, browser::BrowserClient},
    error::FromServerFnError,
    request::browser::BrowserRequest,
    response::browser::BrowserResponse,
};

use crate::protocol::ORDER_KEY;

thread_local! {
    /// The key of the order that is being sent.
    static KEY: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Calls a server function whose client is [`Keyed`] with this key.
pub async fn with_key<T>(key: String, call: impl Future<Output = T>) -> T {
    let mut call = pin!(call);
    poll_fn(|context| {
        KEY.set(Some(key.clone()));
        let polled = call.as_mut().poll(context);
        KEY.take();
        polled
    })
    .await
}

/// The browser's client, which sends the order's key as a header.
pub struct Keyed;

impl<E, I, O> Client<E, I, O> for Keyed
where
    E: FromServerFnError,
    I: FromServerFnError,
    O: FromServerFnError,
{
    type Request = BrowserRequest;
    type Response = BrowserResponse;

    fn send(request: BrowserRequest) -> impl Future<Output = Result<BrowserResponse, E>> + Send {
        if let Some(key) = KEY.take() {
            request.headers().set(ORDER_KEY, &key);
        }
        <BrowserClient as Client<E, I, O>>::send(request)
    }

    fn open_websocket(
        path: &str,
    ) -> impl Future<
        Output = Result<
            (
                impl Stream<Item = Result<Bytes, Bytes>> + Send + 'static,
                impl Sink<Bytes> + Send + 'static,
            ),
            E,
        >,
    > + Send {
        <BrowserClient as Client<E, I, O>>::open_websocket(path)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        <BrowserClient as Client<E, I, O>>::spawn(future);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn orders_that_are_sent_at_the_same_time_keep_their_own_keys() {
        let call = |key: &str| {
            with_key(key.to_owned(), async {
                let first = KEY.take();
                tokio::task::yield_now().await;
                (first, KEY.take())
            })
        };
        let both = futures::join!(call("a"), call("b"));
        let own = |key: &str| (Some(key.to_owned()), Some(key.to_owned()));
        assert_eq!(both, (own("a"), own("b")));
        assert_eq!(KEY.take(), None);
    }
}
