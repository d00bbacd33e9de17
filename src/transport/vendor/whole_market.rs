//! `WholeMarket`: the newest values of all symbols. With many symbols a read takes long and its result is large, so that clients share
//! both.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::{Rc, Weak};

use actix_web::HttpRequest;
use tokio::sync::oneshot;

use crate::domain::{Symbol, SymbolId, Timestamp};
use crate::hub::Held;
use crate::session::SNAPSHOT_WORK;
use crate::transport::vendor::newest::{self, Newest};
use crate::transport::vendor::reads::{Busy, Patience, Reader};
use crate::transport::{Worker, gate};

/// The age at which the values are read again, in microseconds of the clock.
const AGE_MICROS_MAX: i64 = 1_000_000;

/// The values of one symbol.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) id: SymbolId,
    pub(super) symbol: Symbol,
    pub(super) newest: Newest,
}

/// The newest values of all symbols in the order of the alphabet, shared by the clients of one worker.
#[derive(Default)]
pub(super) struct WholeMarket {
    kept: RefCell<Option<Kept>>,
    /// The clients that wait for the read in progress; there is none if nobody waits. At most one for each connection.
    waiting: RefCell<Vec<Waiting>>,
}

struct Kept {
    read_at: Timestamp,
    values: Rc<[Listed]>,
    shared: Weak<Shared>,
}

struct Waiting {
    patience: Patience,
    answer: oneshot::Sender<Result<Rc<Shared>, Busy>>,
}

/// The values, as long as responses use them.
pub(super) struct Shared {
    values: Rc<[Listed]>,
    held: RefCell<Held>,
}

impl Shared {
    fn new(worker: &Worker, values: Rc<[Listed]>) -> Rc<Self> {
        Rc::new(Self { values, held: RefCell::new(Held::new(worker.metrics().waiting_bytes.clone())) })
    }

    /// Counts the memory of the values as unread data, once for all responses that use them, until the last of them has ended.
    pub(super) fn count(&self) {
        self.held.borrow_mut().set(size_of_val(&*self.values));
    }
}

impl Deref for Shared {
    type Target = [Listed];

    fn deref(&self) -> &[Listed] {
        &self.values
    }
}

impl WholeMarket {
    /// Returns values that are at most a second old. Reads them at most once at a time: whoever asks meanwhile waits.
    ///
    /// # Errors
    ///
    /// Returns an error if the read is refused, or if the client has gone.
    pub(super) async fn of(request: &HttpRequest) -> Result<Rc<Shared>, Busy> {
        let worker = Worker::of(request);
        let market = request.app_data::<Rc<Self>>().expect("`addresses` adds it");
        // Each answer is encoded anew, whoever has read the values.
        gate::charge(request, SNAPSHOT_WORK * worker.router.borrow().config().table.len() as u64);
        if let Some(shared) = market.fresh(worker) {
            return Ok(shared);
        }
        let (answer, answered) = oneshot::channel();
        let is_first = market.waiting.borrow().is_empty();
        market.waiting.borrow_mut().push(Waiting { patience: Patience::of(request), answer });
        if is_first {
            // A task of its own: the others need the values also if this client goes.
            actix_web::rt::spawn(market.clone().read(worker.clone()));
        }
        answered.await.map_err(|_| Busy)?
    }

    /// Returns the kept values if they are young enough.
    fn fresh(&self, worker: &Worker) -> Option<Rc<Shared>> {
        let now = worker.clock.now();
        let mut kept = self.kept.borrow_mut();
        let kept =
            kept.as_mut().filter(|kept| (0..AGE_MICROS_MAX).contains(&(now.micros() - kept.read_at.micros())))?;
        Some(kept.shared.upgrade().unwrap_or_else(|| {
            let shared = Shared::new(worker, kept.values.clone());
            kept.shared = Rc::downgrade(&shared);
            shared
        }))
    }

    /// Reads the values for all clients that wait, and stops between two steps if none is left.
    async fn read(self: Rc<Self>, worker: Worker) {
        let read_at = worker.clock.now();
        let table = worker.router.borrow().config().table.clone();
        let mut symbols: Vec<_> = table.ids().map(|id| (id, table.instrument(id).symbol)).collect();
        symbols.sort_unstable_by_key(|(_, symbol)| *symbol);
        let reader = Reader::new(&worker, || self.is_awaited());
        let read = newest::all_of(&worker, reader, &symbols).await;
        let shared = read.map(|all| {
            let listed = symbols.into_iter().zip(all).map(|((id, symbol), newest)| Listed { id, symbol, newest });
            Shared::new(&worker, listed.collect())
        });
        if let Ok(shared) = &shared {
            let values = shared.values.clone();
            *self.kept.borrow_mut() = Some(Kept { read_at, values, shared: Rc::downgrade(shared) });
        }
        for waiting in self.waiting.take() {
            let _ = waiting.answer.send(shared.as_ref().map_err(|_| Busy).cloned());
        }
    }

    fn is_awaited(&self) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain_mut(|each| !each.answer.is_closed() && each.patience.lasts());
        !waiting.is_empty()
    }
}
