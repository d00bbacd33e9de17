//! Recognises the layout of a CSV file by its first line, and finds its columns.

use std::path::Path;

use crate::csv::layout::{LAYOUTS, Layout, Role};

/// The layout of a file, and where its columns are.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) layout: &'static Layout,
    /// The columns as the file names them.
    pub(super) names: Vec<String>,
    /// By `Role as usize`: the index of the column.
    places: [Option<usize>; Role::COUNT],
    /// Whether the first line is data.
    pub(super) is_data: bool,
}

/// Files without a header: columns of the first line, whether they end with a number of `true` or `false`, and their names.
const BARE: [(usize, usize, &str); 5] = [
    (7, 2, "id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch"),
    (6, 1, "id,price,qty,quoteQty,time,isBuyerMaker"),
    (7, 1, "aggTradeId,price,qty,firstId,lastId,time,isBuyerMaker"),
    (8, 2, "aggTradeId,price,qty,firstId,lastId,time,isBuyerMaker,isBestMatch"),
    (
        12,
        0,
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore",
    ),
];
const LOBSTER: &str = "lobster_time,type,order_id,size,price,direction";

impl Header {
    /// Returns the layout of a file with this first line; `columns` are names that the user gives to a file without header.
    pub(super) fn recognise(cells: &[String], path: &Path, columns: &[String]) -> Result<Self, String> {
        if !columns.is_empty() {
            let found = Self::of(columns, true).ok_or_else(|| complaint("the columns given are", columns))?;
            return if columns.len() == cells.len() {
                Ok(found)
            } else {
                Err(format!("the first line has {} columns, but {} are given", cells.len(), columns.len()))
            };
        }
        if let Some(found) = Self::of(cells, false) {
            return Ok(found);
        }
        let bare =
            bare(cells, path).and_then(|names| Self::of(&names.split(',').map(Into::into).collect::<Vec<_>>(), true));
        bare.ok_or_else(|| complaint("the first line is", cells))
    }

    /// Returns the layout of a file with these columns.
    pub(super) fn of(names: &[String], is_data: bool) -> Option<Self> {
        let plain: Vec<_> = names.iter().map(|name| plain(name)).collect();
        let place = |name: &&str| plain.iter().position(|each| each == name);
        LAYOUTS.iter().find_map(|layout| {
            let mut places = [None; Role::COUNT];
            for (role, names) in layout.columns {
                places[*role as usize] = names.iter().find_map(place);
            }
            let has = |role: &Role| places[*role as usize].is_some();
            let fits = layout.needs.iter().all(|name| place(name).is_some())
                && layout.fits(has)
                && (has(&Role::Time) || has(&Role::Clock));
            fits.then(|| Self { layout, names: names.to_vec(), places: split_time(places), is_data })
        })
    }

    /// Returns the index of the column with this meaning.
    #[inline]
    pub(super) fn place(&self, role: Role) -> Option<usize> {
        self.places[role as usize]
    }

    /// Returns the name of the column with this meaning, or the name that it should have.
    pub(super) fn name(&self, role: Role) -> String {
        self.place(role).map_or_else(|| self.layout.preferred(role).into(), |place| self.names[place].trim().into())
    }
}

/// Decides between a time in one column, and a date and a time of day in two.
fn split_time(mut places: [Option<usize>; Role::COUNT]) -> [Option<usize>; Role::COUNT] {
    let [time, date, clock] = [Role::Time, Role::Date, Role::Clock].map(|role| places[role as usize]);
    let is_split = date.is_some() && clock.is_some() && (time == date || time == clock);
    if !is_split && time.is_some() {
        (places[Role::Date as usize], places[Role::Clock as usize]) = (None, None);
    }
    places
}

/// Returns a name in the form of the table: `<Open Time>` is `open_time`.
fn plain(name: &str) -> String {
    let name = name.trim().trim_matches(['<', '>']).to_ascii_lowercase();
    name.replace([' ', '.', '-', '/'], "_")
}

fn bare(cells: &[String], path: &Path) -> Option<&'static str> {
    let is_bool = |cell: &String| matches!(cell.trim(), "True" | "False" | "true" | "false");
    let is_number = |cell: &String| crate::decimal::parse(cell.trim().as_bytes(), 0).is_some();
    if cells.len() == 6 && file_name(path).contains("_message_") && cells.iter().all(is_number) {
        return Some(LOBSTER);
    }
    BARE.iter().find_map(|(columns, bools, names)| {
        let (numbers, rest) = cells.split_at_checked(columns - bools)?;
        let fits = cells.len() == *columns && numbers.iter().all(is_number) && rest.iter().all(is_bool);
        fits.then_some(*names)
    })
}

/// Returns the name of a file, without its folder.
pub(super) fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn complaint(what: &str, cells: &[String]) -> String {
    let cells = crate::error::quoted(cells.join(",").as_bytes());
    format!(
        "{what} '{cells}', expected a header of trades (a time, price, size), of quotes (a time, bid, bid_size, ask, ask_size) \
         or of bars (a time or date, open, high, low, close); `columns` can name the columns of a file without header"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(line: &str, path: &str) -> Option<(&'static str, bool)> {
        let cells: Vec<_> = line.split(',').map(String::from).collect();
        Header::recognise(&cells, Path::new(path), &[]).ok().map(|header| (header.layout.name, header.is_data))
    }

    #[test]
    fn each_vendors_first_line_is_recognised() {
        for (line, name) in [
            (
                "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size,tape,trf_id,trf_timestamp",
                "Massive trades",
            ),
            (
                "ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,indicators,participant_timestamp,sequence_number,sip_timestamp,tape,trf_timestamp",
                "Massive quotes",
            ),
            ("ticker,volume,open,close,high,low,window_start,transactions", "Massive bars"),
            ("symbol,timestamp,open,high,low,close,volume,trade_count,vwap", "bars"),
            ("symbol,timestamp,exchange,price,size,id,conditions,tape", "trades"),
            (
                "symbol,timestamp,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,tape",
                "quotes",
            ),
            (
                "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,symbol",
                "Databento trades",
            ),
            (
                "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_ct_00,ask_ct_00,symbol",
                "Databento quotes",
            ),
            ("ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol", "Databento bars"),
            ("exchange,symbol,timestamp,local_timestamp,id,side,price,amount", "Tardis trades"),
            ("exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount", "Tardis quotes"),
            ("id,price,qty,quote_qty,time,is_buyer_maker", "Binance trades"),
            (
                "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
                "Binance aggregate trades",
            ),
            (
                "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore",
                "bars",
            ),
            ("Date,Open,High,Low,Close,Adj Close,Volume", "bars"),
            ("Datetime,Close,High,Low,Open,Volume", "bars"),
            ("index,date,open,high,low,close,volume", "bars"),
            ("<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>,<VOL>,<SPREAD>", "bars"),
            (",open,high,low,close,volume", "bars"),
            (
                "type,symbol,timestamp,price,size,bid,bid_size,ask,ask_size,interval,open,high,low,close,volume,trades,vwap",
                "tickcast",
            ),
            ("symbol,type,timestamp,bid,ask,bid_size,ask_size,price,size", "tickcast"),
            ("time,type,price,size,open,high,low,close,volume", "tickcast"),
            ("timestamp,type,price,size", "trades"),
            ("timestamp,type,bid,ask,bid_size,ask_size", "quotes"),
            ("timestamp,price,size,bid,ask,bid_size,ask_size", "quotes"),
        ] {
            assert_eq!(layout(line, "x.csv"), Some((name, false)), "{line}");
        }
    }

    #[test]
    fn files_without_header_are_recognised_by_their_first_line_and_name() {
        let trade = "4405302938,93576.00000000,0.00106000,99.19056000,1735689600004122,True,True";
        assert_eq!(layout(trade, "BTCUSDT-trades-2025-01-01.csv"), Some(("Binance trades", true)));
        let kline = "1609459200000,28923.63,28961.66,28913.12,28961.66,27.457032,1609459259999,794382.04,1292,16.77,485390.82,0";
        assert_eq!(layout(kline, "BTCUSDT-1m-2021-01.csv"), Some(("bars", true)));
        let order = "34200.017459617,5,0,1,2238200,-1";
        assert_eq!(layout(order, "AAPL_2012-06-21_34200000_57600000_message_1.csv"), Some(("LOBSTER", true)));
        assert_eq!(layout(order, "x.csv"), None);
        assert_eq!(layout("2020-12-15,1,2,3", "x.csv"), None);
        assert_eq!(layout("date,open,close", "x.csv"), None);
    }

    #[test]
    fn a_user_can_name_the_columns() {
        let columns: Vec<String> = ["timestamp", "open", "high", "low", "close", "volume"].map(String::from).into();
        let cells = |line: &str| line.split(',').map(String::from).collect::<Vec<_>>();
        let line = cells("2020-12-15 09:30:00,1,2,0.5,1.5,100");
        let header = Header::recognise(&line, Path::new("x.csv"), &columns).unwrap();
        assert!(header.is_data);
        assert_eq!(header.place(Role::Close), Some(4));
        assert!(Header::recognise(&line[..5], Path::new("x.csv"), &columns).is_err());
        assert!(Header::recognise(&line, Path::new("x.csv"), &columns[..3]).is_err());
    }
}
