// @ts-check
/**
 * Korean for the page that compares the transports. The keys are the English phrases (`i18n.js`).
 */

import { masthead } from "./masthead.js";
import { reconnect } from "./reconnect.js";

/** The lead and the controls. */
const controls = {
  "Measured on {date}: {clients} clients, {rate} events a second each, {seconds} s, {cpu} with {cores} cores. Start a run to measure here.":
    "{date} 측정: 클라이언트 {clients}개, 각각 초당 이벤트 {rate}건, {seconds}초, {cpu} 코어 {cores}개. 여기서 직접 재려면 실행을 시작하십시오.",
  "This server replays {files} as fast as it can, so there is no latency to measure.": "이 서버는 {files}을(를) 가능한 한 빨리 재생합니다. 그래서 잴 지연 시간이 없습니다.",
  "This server replays {files} at speed {speed}×. Latency counts from when an event is due in the replay.":
    "이 서버는 {files}을(를) {speed}× 속도로 재생합니다. 지연 시간은 재생에서 이벤트가 나올 차례인 시각부터 셉니다.",
  "This server replays {files}, and is on its way to another time.": "이 서버는 {files}을(를) 재생하며, 다른 시각으로 이동하는 중입니다.",
  "This server has replayed {files} to the end. Nothing comes any more.": "이 서버는 {files}을(를) 끝까지 재생했습니다. 더는 아무것도 오지 않습니다.",
  "This server replays {files}, and cannot read on.": "이 서버는 {files}을(를) 재생하지만, 더 읽을 수 없습니다.",
  "This server replays {files}, and pauses. Nothing comes until it goes on.": "이 서버는 {files}을(를) 재생하다가 멈추었습니다. 다시 시작할 때까지 아무것도 오지 않습니다.",
  "It has changed its pace in this run. Latencies around the change are not counted.": "이번 실행 중에 재생 속도가 바뀌었습니다. 그 무렵의 지연 시간은 세지 않습니다.",
  "Measured by this page, in this run.": "이 페이지가 이번 실행에서 측정한 값입니다.",
  "median latency, {transport}": "지연 시간 중앙값, {transport}",
  "{bytes} and {requests} requests for each event": "이벤트당 {bytes}, 요청 {requests}건",
  "tickcast: WebSocket against HTTP": "tickcast: WebSocket과 HTTP 비교",
  "WebSocket against HTTP, measured": "WebSocket과 HTTP, 측정으로 비교하기",
  "An HTTP server only answers requests: a client that wants live prices must poll, or keep a response open. This page receives the same symbols over four transports at the same time, from the same event on, and shows the cost and the latency of each.":
    "HTTP는 요청에 응답만 합니다. HTTP로 실시간 시세를 받으려면 계속 다시 묻거나 응답을 열어 두어야 합니다. 이 페이지는 같은 종목을 네 가지 전송 방식으로, 같은 이벤트부터 동시에 받아 각 방식의 비용과 지연을 보여 줍니다.",
  "Run": "실행",
  "Symbols": "종목",
  "Channels": "채널",
  "trades and quotes": "체결과 호가",
  "trades only": "체결만",
  "Event rate": "이벤트 빈도",
  "every event": "모든 이벤트",
  "newest, at most 10 a second": "최신 값만, 초당 최대 10건",
  "newest, at most 4 a second": "최신 값만, 초당 최대 4건",
  "newest, at most 1 a second": "최신 값만, 초당 최대 1건",
  "Short poll every, ms": "짧은 폴링 간격(ms)",
  "Extra clients each": "방식별 추가 클라이언트",
  "Seconds": "시간(초)",
  "Start": "시작",
  "Stop": "중지",
  "Ready": "준비됨",
  "Reading the server's clock": "서버의 시계를 읽는 중",
  "Running": "실행 중",
  "{seconds} of {all} s, clock known to ±{error}": "{all}초 중 {seconds}초, 시계 오차 ±{error}",
  "Reading the last figures": "마지막 수치를 읽는 중",
  "Done": "완료",
  "after {seconds} s, clock known to ±{error}": "소요 시간 {seconds}초, 시계 오차 ±{error}",
  "Failed: {reason}": "실패: {reason}",
  "This page was hidden for a while. Browsers slow hidden pages down, and the figures show that.":
    "이 페이지가 한동안 화면에 보이지 않았습니다. 그동안 브라우저가 페이지를 느리게 실행하므로 수치에 그 영향이 나타납니다.",
  "More than 100,000 events have come over a transport. Only the first 100,000 are kept for the download and compared one by one; figures and plots include all.":
    "한 전송 방식으로 100,000건이 넘는 이벤트가 왔습니다. 내려받기와 건별 비교에는 처음 온 것만 남깁니다. 수치와 그래프는 모든 이벤트를 포함합니다.",
  "What these settings do": "설정 설명",
  "The server makes its events at the rate that it was started with (`feed.events_per_second`, shared by all symbols), and no page can change that. The rate per client is changed honestly by more or fewer symbols and channels, or by taking the newest values only: at most so many for each symbol and channel; what is merged then is counted.":
    "서버는 시작할 때 정해진 빈도(`feed.events_per_second`, 모든 종목의 합)로 이벤트를 만들며, 페이지에서는 이를 바꿀 수 없습니다. 클라이언트가 받는 빈도는 종목과 채널의 수를 바꾸거나 최신 값만 받도록 하여 조절합니다. 최신 값만 받으면 종목과 채널마다 건수가 제한되고, 합쳐진 이벤트는 따로 셉니다.",
  "With newest values only the pace of polls is the client's own: the long poll waits between two requests for as long as the rate says, the short poll for its interval.":
    "최신 값만 받을 때 폴링의 속도는 클라이언트가 정합니다. 긴 폴링은 정한 빈도에 맞추어 두 요청 사이에서 기다리고, 짧은 폴링은 정한 간격만큼 기다립니다.",
  "Extra clients load the server, and what they cost is counted apart. Browsers open at most six HTTP/1.1 connections to one server. Four are in use here: the event stream, the two polls, and the reading of the costs. Over HTTP the extra clients share the other two: one event stream keeps one of them, polls take turns on the other, one at a time. WebSockets are not part of that limit, and all are opened.":
    "추가 클라이언트는 서버에 부하를 주며, 그 비용은 별도로 집계합니다. 브라우저는 한 서버에 HTTP/1.1 연결을 최대 여섯 개까지 엽니다. 이 페이지는 이벤트 스트림, 두 가지 폴링, 비용 집계 읽기에 네 개를 씁니다. HTTP를 쓰는 추가 클라이언트는 나머지 두 개를 나누어 씁니다. 이벤트 스트림 하나가 그중 하나를 계속 차지하고, 폴링은 다른 하나를 한 번에 하나씩 번갈아 씁니다. WebSocket은 이 제한에 포함되지 않으므로 모두 열립니다.",
};

/** The table and the plots. */
const table = {
  "Side by side": "나란히 보기",
  "Server-sent events": "서버 전송 이벤트",
  "Long poll": "긴 폴링",
  "Short poll": "짧은 폴링",
  "Events received": "받은 이벤트",
  "Requests": "요청",
  "Connections opened": "새로 연 연결",
  "Bytes up": "보낸 바이트",
  "Bytes down": "받은 바이트",
  "of both: messages": "그중 메시지",
  "of both: framing": "그중 프레이밍",
  "of both: headers": "그중 헤더",
  "of both: TLS": "그중 TLS 비용",
  "Bytes per event": "이벤트당 바이트",
  "Latency, median": "지연 시간, 중앙값",
  "Latency, 99 %": "지연 시간, 99%",
  "Age of the shown price": "표시 가격의 경과 시간",
  "Server CPU per 1,000 events": "이벤트 1,000건당 서버 CPU",
  "Events missed": "놓친 이벤트",
  "Events merged": "합쳐진 이벤트",
  "Reconnected": "재연결",
  "Extra clients connected": "연결된 추가 클라이언트",
  "{served} of {asked}": "{asked}개 중 {served}개",
  "{served} in turn": "{served}개가 번갈아",
  "What became of it": "진행 결과",
  "broken off at {seconds} s: {reason}": "{seconds}초에 끊김: {reason}",
  "reconnecting: {reason}": "다시 연결하는 중: {reason}",
  "void cursor at {seconds} s: losses unknown": "{seconds}초에 잃은 이벤트는 알 수 없음",
  "If no connection was opened, the browser used one again that it had opened to load this page.":
    "새로 연 연결이 0이면 이 페이지를 불러올 때 브라우저가 이미 열어 둔 연결로 요청을 보낸 것입니다.",
  "What these figures are": "수치 설명",
  "Bytes, requests, connections and CPU are counted by the server (`/api/v1/traffic`), at the socket: with all headers, without those of TCP and IP. A request on a connection that the browser had open already opens none. Messages are the JSON objects; framing is what WebSocket, the event stream or the poll's JSON puts around them; headers are those of HTTP.":
    "바이트, 요청, 연결, CPU는 서버가 소켓에서 셉니다(`/api/v1/traffic`). 모든 헤더를 포함하지만 TCP와 IP의 헤더는 포함하지 않습니다. 브라우저가 이미 열어 둔 연결로 보낸 요청은 새 연결로 세지 않습니다. 메시지는 JSON 객체이고, 프레이밍은 WebSocket, 이벤트 스트림, 폴링의 JSON이 메시지를 감싸는 부분이며, 헤더는 HTTP의 헤더입니다.",
  "Latency is the time from the making of an event (`ts`) to the call of the handler that gets it, before anything is parsed, for events made since the transport was opened. Both ends have a clock: the difference is estimated as NTP does, by pings over a WebSocket of its own, of which the one with the shortest way there and back counts; half of that way and one step of the browser's clock bound the error, which grows by 50 millionths of the time since. What is smaller than the error is written as less than it. Percentiles are exact to 1 %.":
    "지연 시간은 이벤트가 만들어진 때(`ts`)부터 이를 받는 핸들러가 호출될 때까지의 시간이며, 파싱하기 전에 잽니다. 전송 방식이 열린 뒤에 만들어진 이벤트만 셉니다. 양쪽의 시계 차이는 NTP처럼 추정합니다. 별도의 WebSocket으로 핑을 보내 왕복 시간이 가장 짧은 값을 쓰며, 그 왕복 시간의 절반과 브라우저 시계의 한 눈금을 더한 것이 오차의 한계입니다. 오차는 그 뒤로 흐른 시간의 100만분의 50만큼 커집니다. 오차보다 작은 값은 오차 미만으로 적습니다. 백분위수의 정확도는 1%입니다.",
  "The age of the shown price is its mean over time and symbols, counted from the trade that made it, and for each symbol since its first trade of the run. CPU is that of the server's threads while they serve these connections. Missed events are holes in `seq` that nothing has announced; merged ones are those that `skipped` or `lag` counts. After a break each transport goes on from its cursor; what came late for that counts with its latency.":
    "표시 가격의 경과 시간은 그 가격을 만든 체결부터 잰 시간이며, 시간과 종목에 걸친 평균입니다. 종목마다 실행 중의 첫 체결부터 셉니다. CPU는 서버의 스레드가 이 연결들을 처리하는 데 쓴 시간입니다. 놓친 이벤트는 예고 없이 `seq`에 생긴 빈자리이고, 합쳐진 이벤트는 `skipped`나 `lag`가 센 것입니다. 연결이 끊기면 각 전송 방식은 커서부터 이어 받으며, 그 때문에 늦게 온 이벤트도 지연 시간에 들어갑니다.",
  "Over time": "시간에 따른 변화",
  "Median latency of each second": "초별 지연 시간의 중앙값",
  "Latency, on a logarithmic scale": "지연 시간(로그 눈금)",
  "Bytes per second, on a logarithmic scale": "초당 바이트(로그 눈금)",
  "Time since the start of the run": "실행 시작 후 경과 시간",
  "Bytes per second on the wire, up and down": "초당 오간 바이트(양방향)",
  "A line has gaps where nothing came. With a short poll of more than a second, bytes are the mean of one of its intervals.":
    "아무것도 오지 않은 동안에는 선이 끊깁니다. 짧은 폴링 간격이 1초보다 길면 바이트는 그 간격의 평균입니다.",
};

/** The summary. */
const summary = {
  "In plain words": "쉽게 풀어 쓰면",
  "The summary follows at the end of a run.": "실행이 끝나면 그 수치로 작성됩니다.",
  "Download as JSON": "JSON으로 내려받기",
  "Download as CSV": "CSV로 내려받기",
  "server-sent events": "서버 전송 이벤트",
  "long poll": "긴 폴링",
  "short poll": "짧은 폴링",
  "No event has come: there is nothing to compare.": "이벤트가 하나도 오지 않았으므로 비교할 것이 없습니다.",
  "Nothing is left to compare.": "비교할 것이 남지 않았습니다.",
  "{transport} at {seconds} s ({reason})": "{transport} {seconds}초({reason})",
  "{transport} at {seconds} s": "{transport} {seconds}초",
  "Failed, and left out of the comparison below: {list}.":
    "끊긴 뒤 다시 이어지지 않아 아래 비교에서 제외한 방식은 {list}입니다.",
  "The cursor was void, because the server had been restarted or no longer had the events, so the number of lost events is unknown: {list}.":
    "서버가 다시 시작되었거나 그 뒤의 이벤트를 보관하지 않아 커서부터 이어 받지 못했고 잃은 이벤트를 알 수 없는 방식은 {list}입니다.",
  "Reconnects after a break: {list}.": "끊겼다가 다시 맺은 연결의 수는 {list}입니다.",
  "Newest values only. Events merged into newer ones: {list}.":
    "최신 값만 받았습니다. 더 새로운 이벤트에 합쳐진 이벤트의 수는 {list}입니다.",
  "Events lost without an announcement: {list}.": "예고 없이 사라진 이벤트의 수는 {list}입니다.",
  "There is no event that all of them have reached.": "모든 방식이 함께 도달한 이벤트가 없습니다.",
  "Of {count} events, this many are missing: {list}.": "이벤트 {count}건 가운데 빠진 것의 수는 {list}입니다.",
  "Up to the first break these have delivered the same {count} events: {names}.":
    "처음 끊기기 전까지 {names}에서 모두 같은 이벤트 {count}건을 전달했습니다.",
  "All four have delivered the same {count} events: none is missing, none came twice.":
    "네 방식 모두 같은 이벤트 {count}건을 전달했습니다. 빠진 것도, 두 번 온 것도 없습니다.",
  "Events after the last common one are counted in the table only.":
    "모든 방식에 도달하지 않은 이벤트는 표에만 포함되며 여기에는 포함되지 않습니다.",
  "These have delivered the same {count} events, of which none is missing: {names}.":
    "{names}에서 모두 같은 이벤트 {count}건을 빠짐없이 전달했습니다.",
  "Events that came twice: {list}.": "두 번 온 이벤트의 수는 {list}입니다.",
  "Requests: {list}.": "요청의 수는 {list}입니다.",
  "Each event cost this many bytes on the wire, headers and all: {list}.":
    "헤더까지 포함하여 이벤트 한 건에 든 바이트는 {list}입니다.",
  "Half of the events reached their handler within: {list}. The clocks of both ends are known to ±{error}.":
    "이벤트의 절반이 핸들러에 도착하는 데 걸린 시간은 {list} 이내였습니다. 두 시계의 오차는 ±{error}입니다.",
  "The price on show was this old on average: {list}.": "표시된 가격의 평균 경과 시간은 {list}입니다.",
  "For 1,000 events the server spent this much CPU: {list}.": "이벤트 1,000건에 서버가 쓴 CPU 시간은 {list}입니다.",
  "Polling every {interval} cost {ratio} the bytes of WebSocket here.":
    "여기서는 {interval}마다 묻는 데 WebSocket에 견주어 {ratio}의 바이트가 들었습니다.",
  "Polling every {interval} cost as many bytes as WebSocket here.":
    "여기서는 {interval}마다 묻는 데 WebSocket과 같은 정도의 바이트가 들었습니다.",
  "Polling every {interval} cost fewer bytes than WebSocket here ({ratio}), because it brought fewer values.":
    "여기서는 {interval}마다 물으면 받는 값이 적어 WebSocket보다 적은 바이트가 들었습니다({ratio}).",
  "Polling every {interval} cost fewer bytes than WebSocket here ({ratio}), because one answer carries many events at once.":
    "여기서는 {interval}마다 물으면 응답 하나가 여러 이벤트를 한꺼번에 싣기 때문에 WebSocket보다 적은 바이트가 들었습니다({ratio}).",
  "The shown prices were as old.": "표시된 값의 경과 시간은 비슷했습니다.",
  "The shown prices were {age} older.": "표시된 값은 {age} 더 오래되었습니다.",
  "The shown prices were {age} newer.": "표시된 값은 {age} 더 새로웠습니다.",
};

/** Why something did not work. */
const failures = {
  "{reason} ({code})": "{reason}({code})",
  "the server refused: {detail}": "서버가 거절함: {detail}",
  "the server is shutting down or is full": "서버가 종료 중이거나 가득 참",
  "no such symbol: {detail}": "없는 종목: {detail}",
  "the server cannot be reached": "서버에 연결할 수 없음",
  "no answer in time": "제때 응답이 없음",
  "the answer is not valid": "응답을 해석할 수 없음",
  "an error of this page: {detail}": "이 페이지의 오류: {detail}",
};

/** @type {Readonly<Record<string, string>>} */
export const korean = { ...masthead, ...controls, ...table, ...summary, ...failures, ...reconnect };
