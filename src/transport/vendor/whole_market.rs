//! `WholeMarket`: the newest values of all symbols. With many symbols a read takes long, so that clients share it.

use std::rc::Rc;

use actix_web::HttpRequest;
use tokio::sync::Mutex;

use crate::domain::{Symbol, SymbolId, Timestamp};
use crate::transport::Worker;
use crate::transport::vendor::newest::{self, Newest};
use crate::transport::vendor::reads::Busy;
use crate::transport::vendor::table;

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
pub(super) struct WholeMarket(Mutex<Option<(Timestamp, Rc<[Listed]>)>>);

impl WholeMarket {
    /// Returns values that are at most a second old. Reads them at most once at a time: whoever asks meanwhile waits.
    ///
    /// # Errors
    ///
    /// Returns an error if too many reads are in progress.
    pub(super) async fn of(request: &HttpRequest) -> Result<Rc<[Listed]>, Busy> {
        let worker = Worker::of(request);
        let Self(kept) = &**request.app_data::<Rc<Self>>().expect("`addresses` adds it");
        let mut kept = kept.lock().await;
        let now = worker.clock.now();
        if let Some((read_at, values)) = &*kept
            && (0..AGE_MICROS_MAX).contains(&(now.micros() - read_at.micros()))
        {
            return Ok(values.clone());
        }
        let table = table(worker);
        let mut symbols: Vec<_> = table.ids().map(|id| (id, table.instrument(id).symbol)).collect();
        symbols.sort_unstable_by_key(|(_, symbol)| *symbol);
        let newest = newest::all(worker, &symbols).await?;
        let listed = symbols.into_iter().zip(newest).map(|((id, symbol), newest)| Listed { id, symbol, newest });
        let values: Rc<[Listed]> = listed.collect();
        *kept = Some((now, values.clone()));
        Ok(values)
    }
}
