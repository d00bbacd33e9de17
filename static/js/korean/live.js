// @ts-check
/**
 * Korean for the live chart page. The keys are the English phrases (`i18n.js`).
 */

import { masthead } from "./masthead.js";
import { reconnect } from "./reconnect.js";
import { watchlist } from "./watchlist.js";

/** The sectors of config/symbols.toml, as the Global Industry Classification Standard names them. */
const sectors = {
  "Communication Services": "커뮤니케이션 서비스",
  "Consumer Discretionary": "경기소비재",
  "Consumer Staples": "필수소비재",
  "Energy": "에너지",
  "Financials": "금융",
  "Health Care": "헬스케어",
  "Industrials": "산업재",
  "Information Technology": "정보기술",
  "Materials": "소재",
  "Real Estate": "부동산",
  "Utilities": "유틸리티",
};

/** @type {Readonly<Record<string, string>>} */
export const korean = {
  ...masthead,
  ...sectors,
  ...reconnect,
  ...watchlist,
  // The connection.
  "Market data, pushed over one WebSocket": "WebSocket 연결 하나로 푸시하는 실시간 시세",
  "Connecting": "연결 중",
  "Reconnecting": "다시 연결 중",
  "Stale": "지연됨",
  "Disconnected": "연결 종료됨",
  "{reason}. It would do so again, so this page does not reconnect by itself. Reload the page.":
    "{reason}. 다시 연결해도 서버가 또 닫을 것이므로 이 페이지는 스스로 다시 연결하지 않습니다. 페이지를 새로 고치십시오.",
  "now": "지금 시도",
  "in {seconds} s": "{seconds}초 후",
  "{count} events skipped": "이벤트 {count}건 건너뜀",
  "nothing for {seconds} s": "{seconds}초째 수신 없음",
  "Retry now": "지금 다시 시도",
  // The chart.
  "Bid": "매수호가",
  "Ask": "매도호가",
  "Open": "시가",
  "Day range": "당일 변동폭",
  "Prev. close": "전일 종가",
  "Volume": "거래량",
  "Timeframe": "봉 주기",
  "1 second": "1초",
  "1 minute": "1분",
  "5 minutes": "5분",
  "15 minutes": "15분",
  "1 hour": "1시간",
  "1 day": "1일",
  "1s": "1초",
  "1m": "1분",
  "5m": "5분",
  "15m": "15분",
  "1h": "1시간",
  "1d": "1일",
  "Bar under the crosshair": "십자선이 가리키는 봉",
  "Time": "시각",
  "High": "고가",
  "Low": "저가",
  "Close": "종가",
  "Change": "등락",
  "O": "시",
  "H": "고",
  "L": "저",
  "C": "종",
  "Vol": "량",
  "candlestick chart": "캔들 차트",
  "Arrow keys scroll, plus and minus zoom, End returns to the newest bar":
    "화살표 키로 이동하고, 더하기와 빼기 키로 확대·축소하며, End 키로 최신 봉으로 돌아갑니다",
  "Loading…": "불러오는 중…",
  "Try again": "다시 시도",
  "The history could not be loaded: the server has answered {status}.": "과거 시세를 불러오지 못했습니다. 서버가 {status} 코드로 응답했습니다.",
  "The history could not be loaded: the server cannot be reached.": "과거 시세를 불러오지 못했습니다. 서버에 연결할 수 없습니다.",
  "Nothing is charted. Add a symbol to the watchlist.": "표시할 차트가 없습니다. 관심 종목에 종목을 추가하십시오.",
  // The watchlist and its search.
  "Watchlist": "관심 종목",
  "Add a symbol": "종목 추가",
  "Symbols": "종목",
  "Symbol": "종목",
  "Last": "현재가",
  "%": "등락률",
  "Remove": "삭제",
  "Remove {symbol}": "{symbol} 삭제",
  "The watchlist is empty. Search for a symbol or a company above to add one.":
    "관심 종목이 비어 있습니다. 위에서 종목이나 회사를 검색하여 추가하십시오.",
  "Add the first ten": "기본 종목 10개 추가",
  "No such symbol": "해당하는 종목이 없습니다",
  "The symbol list is not loaded yet": "종목 목록을 아직 불러오지 못했습니다",
  "listed": "추가됨",
  // The tape.
  "Trades": "체결",
  "Side": "구분",
  "Buy": "매수",
  "Sell": "매도",
  "Mid": "중간",
  "Spread": "스프레드",
  "Price": "가격",
  "Size": "수량",
  // The measurements.
  "Events": "이벤트",
  "Latency": "지연 시간",
  "Received": "수신",
  "Holes": "누락",
  "Times in": "표시 시간대",
  "{rate}/s": "초당 {rate}건",
  "{holes} ({skipped} skipped)": "{holes} ({skipped}건 건너뜀)",
  "Median time from the server's stamp to this page": "서버가 시각을 기록한 때부터 이 페이지에 도착할 때까지 걸린 시간의 중앙값",
  "Events received since the page was loaded": "페이지를 연 뒤 받은 이벤트 수",
  "Events missing from a channel's sequence numbers": "채널의 일련번호에서 빠진 이벤트 수",
  "Median of the last 512 events, from the server's stamp to this page. Server clock {ahead} ms ahead, known to ±{error} ms.":
    "최근 이벤트 512건이 서버에서 이 페이지에 도착할 때까지 걸린 시간의 중앙값입니다. 서버 시계가 {ahead} ms 빠르며, 오차는 ±{error} ms입니다.",
  "local time": "현지 시각",
  // What becomes of changes of the list.
  "Undo": "실행 취소",
  "{symbol} is removed.": "{symbol} 종목을 삭제했습니다.",
  "The list is full: {symbols} is not added, {count} symbols is the most.": "목록이 가득 찼습니다. 최대 {count}종목까지 추가할 수 있어 {symbols} 종목은 추가하지 않았습니다.",
  "not traded on this server": "이 서버에 없는 종목",
  "This server sends at most {most} symbols: {count} rows below them stand still.": "이 서버는 최대 {most}종목까지만 보내므로 나머지 {count}개 행은 갱신되지 않습니다.",
  "WebSocket refused": "WebSocket 거부됨",
  "live by server-sent events": "서버 전송 이벤트로 실시간",
  "live by long polling": "롱 폴링으로 실시간",
  "The server answers, but no WebSocket gets through: a proxy in front of it may change Host or not pass Upgrade on.":
    "서버는 응답하지만 WebSocket이 연결되지 않습니다. 앞단의 프록시가 Host를 바꾸거나 Upgrade를 전달하지 않을 수 있습니다.",
};
