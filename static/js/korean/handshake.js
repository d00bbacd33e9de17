// @ts-check
/**
 * Korean for the page about the handshake. The keys are the English phrases (`i18n.js`).
 */

import { masthead } from "./masthead.js";

/** The lead and the state of the socket. */
const lead = {
  "tickcast: the WebSocket handshake": "tickcast: WebSocket 핸드셰이크",
  "The WebSocket handshake, on a live connection": "실제 연결로 보는 WebSocket 핸드셰이크",
  "An HTTP server only answers requests: a page that wants news must poll. A WebSocket begins as an HTTP request that asks the server to switch protocols. If the server agrees, both sides may send messages over the same TCP connection at any time.":
    "HTTP 서버는 요청에 응답만 합니다. 그래서 새 소식을 원하는 페이지는 계속 다시 물어야 합니다. WebSocket도 그런 HTTP 요청 하나로 시작하지만, 이 요청은 프로토콜을 바꾸자고 서버에 제안합니다. 서버가 동의하면 그 TCP 연결을 양쪽이 함께 쓰게 되고, 보낼 것이 생기면 어느 쪽이든 언제든지 먼저 보낼 수 있습니다.",
  "Everything on this page is real: it has opened a socket to this server. Browsers hide headers and frames from scripts, so the server records them and sends them to the page. The rules are those of RFC 6455.":
    "이 페이지의 내용은 모두 실제 값입니다. 페이지는 이 서버에 소켓을 하나 열어 두었습니다. 브라우저의 스크립트는 소켓의 헤더도 프레임도 볼 수 없으므로, 서버가 이를 기록하여 페이지에 알려 줍니다. 규칙은 RFC 6455를 따릅니다.",
  "Connecting": "연결 중",
  "This page's socket is open": "이 페이지의 소켓이 열려 있습니다",
  "The server's record of this socket has ended": "서버가 이 소켓의 내용을 더 이상 보여 주지 않습니다",
  "This page's socket is closed": "이 페이지의 소켓이 닫혔습니다",
  "This page's socket was closed because the page was hidden": "보이지 않는 동안 이 페이지의 소켓을 닫았습니다",
  "This page's socket was closed because newer pages need its connection": "나중에 연 페이지에 연결이 필요하여 이 페이지의 소켓을 닫았습니다",
  "The server has refused this page's handshake": "서버가 이 페이지의 핸드셰이크를 거부했습니다",
  "The server cannot be reached, or its limit of recorded sockets is reached": "서버에 연결할 수 없거나, 서버가 지금은 소켓을 더 보여 줄 수 없습니다",
  "{status}, {detail}": "{status}, {detail}",
  "Open a new socket": "새 소켓 열기",
  "On this page": "이 페이지의 목차",
  "Request and response": "요청과 응답",
  "Key and accept": "키와 Accept 값",
  "Subprotocol": "서브프로토콜",
  "Frames": "프레임",
  "Ping and pong": "핑과 퐁",
  "Close": "닫기",
  "Refusals": "거부",
};

const heads = {
  "1. Request and response": "1. 요청과 응답",
  "These are the heads of this page's own handshake as the server has read and written them. Header names do not distinguish case; this server keeps them in lower case and in no particular order.":
    "이 페이지가 실제로 수행한 핸드셰이크의 헤더이며, 서버가 읽고 쓴 내용입니다. 헤더 이름은 대소문자를 구별하지 않으며, 이 서버는 이름을 소문자로 바꾸고 순서는 보존하지 않습니다.",
  "Request, client to server": "요청(클라이언트 → 서버)",
  "Response, server to client": "응답(서버 → 클라이언트)",
  "An ordinary HTTP/1.1 `GET`. The path says what is wanted: `/handshake/ws` is a socket like `/ws`, and the name behind it tells the server to show what it sees.":
    "평범한 HTTP/1.1 `GET` 요청입니다. 경로는 원하는 대상을 나타냅니다. `/handshake/ws`는 `/ws`와 같은 소켓이며, 그 뒤의 이름은 서버가 본 것을 보여 달라는 표시입니다.",
  "*101*: HTTP ends with the empty line after these headers. From the next byte on both sides send frames.":
    "*101*: 이 헤더들 다음의 빈 줄에서 HTTP가 끝납니다. 그다음 바이트부터는 양쪽이 프레임을 보냅니다.",
  "The requested site, as in every request of HTTP/1.1.": "HTTP/1.1의 모든 요청이 그렇듯 어느 사이트를 찾는지 나타냅니다.",
  "`Upgrade` applies to this connection only; a proxy must not forward it.": "`Upgrade`가 프록시 너머가 아니라 바로 이 연결에 해당함을 나타냅니다.",
  "The protocol to go on with.": "이후에 사용할 프로토콜입니다.",
  "The version of the protocol. 13 is that of RFC 6455, the only one in use.": "프로토콜 버전입니다. 13은 RFC 6455의 버전이며, 현재 쓰이는 유일한 버전입니다.",
  "16 random bytes in Base64, new for each connection. Section 2 shows what becomes of them.": "연결할 때마다 새로 만드는 무작위 16바이트를 Base64로 나타낸 값입니다. 이 값이 어떻게 쓰이는지는 2절에서 보여 줍니다.",
  "The subprotocols that the client offers, best first.": "클라이언트가 제안하는 서브프로토콜이며, 선호하는 순서대로 적습니다.",
  "Extensions that the client offers, here compression. This server takes none up, so its answer has no such header.":
    "클라이언트가 제안하는 확장이며, 여기서는 압축입니다. 이 서버는 확장을 쓰지 않으므로 응답에는 이 헤더가 없습니다.",
  "The site whose page opens the socket. Browsers always send it and scripts cannot change it, so that a server can refuse foreign pages.":
    "소켓을 여는 페이지가 속한 사이트입니다. 브라우저가 항상 보내고 스크립트가 바꿀 수 없으므로, 서버는 이 값을 보고 다른 사이트의 페이지를 거부할 수 있습니다.",
  "The server agrees, for this connection.": "서버가 이 연결에 대해 동의합니다.",
  "The protocol that follows the empty line.": "빈 줄 다음부터 쓰는 프로토콜입니다.",
  "Computed from the key. A client that finds another value must give the connection up.": "키로 계산한 값입니다. 값이 다르면 클라이언트는 연결을 포기해야 합니다.",
  "The one that the server has chosen of those offered.": "제안된 것 가운데 서버가 선택한 것입니다.",
  "{count} more headers, which WebSocket does not need": "WebSocket에 필요하지 않은 헤더 {count}개",
  "Others": "그 밖의 헤더",
  "not shown": "표시하지 않음",
};

const keys = {
  "2. From Sec‑WebSocket‑Key to Sec‑WebSocket‑Accept": "2. Sec‑WebSocket‑Key에서 Sec‑WebSocket‑Accept까지",
  "The server proves that it has understood the request as WebSocket: it appends a fixed text to the key, hashes it and returns the result. A cache or a server that knows only HTTP would not. It is no encryption and authenticates nobody. Change the key and see what follows.":
    "서버는 요청을 WebSocket 요청으로 이해했음을 증명하기 위해, 키 뒤에 정해진 문자열을 붙이고 해시를 구해 돌려줍니다. 캐시나 HTTP만 아는 서버는 이렇게 하지 않습니다. 이것은 암호화가 아니며 누구도 인증하지 않습니다. 키를 바꾸어 결과를 확인해 보십시오.",
  "The key: 16 random bytes in Base64": "키: 무작위 16바이트를 Base64로 나타낸 값",
  "This page's key": "이 페이지의 키",
  "The RFC's example": "RFC의 예",
  "A random key": "무작위 키",
  "The bytes of the key": "키의 바이트",
  "A fixed identifier, the same for every WebSocket in the world (RFC 6455, section 1.3)": "고정된 식별자(GUID). 모든 WebSocket이 같은 값을 씁니다(RFC 6455, 1.3절)",
  "Both joined as text; the Base64 is not decoded": "둘을 문자열로 이어 붙인 값. Base64를 디코딩하지 않습니다",
  "The SHA-1 hash of that text: 20 bytes": "이 문자열의 SHA-1 해시: 20바이트",
  "The hash in Base64, three bytes to four characters": "해시를 Base64로 인코딩한 값. 3바이트가 네 글자가 됩니다",
  "becomes": "변환 결과",
  "This is what the server has answered to this page.": "서버가 이 페이지에 실제로 응답한 값과 같습니다.",
  "The server has answered with another value: {accept}": "서버가 다른 값으로 응답했습니다: {accept}",
  "The server would refuse this key with 400.": "서버는 이런 키를 400으로 거부합니다.",
  "A key is needed: 24 characters, which are 16 bytes in Base64.": "키가 필요합니다. 16바이트를 Base64로 나타낸 24글자입니다.",
  "“{stranger}” does not occur in Base64, which has A–Z, a–z, 0–9, + and /.": "“{stranger}”: Base64에 없는 글자입니다. A–Z, a–z, 0–9, +, /만 쓸 수 있습니다.",
  "The sign = only fills up the end of Base64, at most twice.": "= 기호는 Base64의 끝을 채우는 데만 쓰며, 최대 두 개입니다.",
  "Base64 comes in groups of four characters, and these are {length}: too few, or without the == at the end.":
    "Base64는 네 글자씩 묶이는데 {length}글자가 입력되었습니다. 글자가 모자라거나 끝의 ==가 빠졌습니다.",
  "These are {count} bytes in Base64; a key has 16, which are 24 characters with == at the end.":
    "Base64로 {count}바이트입니다. 키는 16바이트이며, 끝의 ==를 포함하여 24글자입니다.",
};

const offers = {
  "3. Choosing a subprotocol": "3. 서브프로토콜 협상",
  "WebSocket carries messages and does not say what they mean. A client may offer names of subprotocols, best first, and the server chooses one of them or none. This server knows `tickcast.v1.json`. The button opens a second socket with your offer.":
    "WebSocket은 메시지를 나를 뿐 그 의미는 정하지 않습니다. 클라이언트는 서브프로토콜의 이름을 선호하는 순서대로 제안할 수 있고, 서버는 그 가운데 하나를 선택하거나 아무것도 선택하지 않습니다. 이 서버가 아는 것은 `tickcast.v1.json`입니다. 버튼을 누르면 입력한 제안으로 두 번째 소켓을 엽니다.",
  "Offered, with commas between them": "제안할 이름(쉼표로 구분)",
  "Offer": "제안하기",
  "Examples": "예",
  "the one that is known": "서버가 아는 것",
  "one of two": "둘 중 하나",
  "only unknown ones": "모르는 것만",
  "none": "제안 없음",
  "Request": "요청",
  "Response": "응답",
  "Browser": "브라우저",
  "no Sec-WebSocket-Protocol": "Sec-WebSocket-Protocol 없음",
  "The server has chosen `{name}`.": "서버가 선택한 서브프로토콜은 `{name}`입니다.",
  "Nothing was offered, so nothing was chosen: the server speaks its native JSON.": "제안이 없었으므로 선택한 것도 없습니다. 서버는 자체 JSON 형식으로 통신합니다.",
  "The server knows none of these and goes on without a subprotocol; so does the client.": "서버가 아는 이름이 없어 서브프로토콜 없이 진행하며, 클라이언트도 그렇게 합니다.",
  "The server knows none of these and has upgraded without a subprotocol, which RFC 6455 lets it do. A browser that has offered some takes no such answer: it has given the connection up and reports {code}.":
    "서버가 아는 이름이 없어 서브프로토콜 없이 업그레이드했습니다. RFC 6455는 이를 허용합니다. 그러나 서브프로토콜을 제안한 브라우저는 이런 응답을 받아들이지 않으므로, 연결을 포기하고 {code} 코드를 알렸습니다.",
  "“{name}” cannot be the name of a subprotocol: letters, digits and signs without spaces.": "“{name}”: 서브프로토콜의 이름이 될 수 없습니다. 이름에는 공백 없이 영문자, 숫자, 기호만 쓸 수 있습니다.",
  "The server has refused this handshake: {status}, {detail}": "서버가 이 핸드셰이크를 거부했습니다: {status}, {detail}",
  "“{name}” is offered twice.": "“{name}”: 두 번 제안되었습니다.",
  "The server's limit of recorded sockets is reached. Try again in a moment.": "서버가 지금은 소켓을 더 보여 줄 수 없습니다. 잠시 후 다시 시도하십시오.",
};

const frames = {
  "4. Frames, byte by byte": "4. 바이트 단위로 보는 프레임",
  "After the empty line that ends the response only frames follow: a header of 2 to 14 bytes and the payload. The client masks each frame with a new key, so that no script can make its browser send bytes that a proxy would take for another protocol. The server does not mask its frames.":
    "응답을 끝내는 빈 줄 다음부터는 HTTP가 없고 프레임만 있습니다. 프레임은 2~14바이트의 헤더와 페이로드로 이루어집니다. 클라이언트가 보내는 페이로드는 프레임마다 새로 만든 키로 마스킹합니다. 이렇게 하면 중간의 프록시가 다른 프로토콜로 오인할 바이트를 스크립트가 브라우저를 통해 보낼 수 없습니다. 서버가 보내는 것은 마스킹하지 않습니다.",
  "Send something": "보내기",
  "Subscribe to AAPL": "AAPL 구독",
  "Unsubscribe": "구독 해지",
  "Send a `ping` message": "`ping` 메시지 보내기",
  "Your own text": "직접 입력한 텍스트",
  "Send": "보내기",
  "The server's limit of recorded sockets is reached; this page tries again": "지금은 서버가 소켓을 더 보여 줄 수 없어, 이 페이지가 다시 요청합니다",
  "Captured, newest first": "캡처한 프레임(최신순)",
  "No frame has been captured yet.": "아직 캡처한 프레임이 없습니다.",
  "Frames left out because this page reads too slowly:": "이 페이지가 받는 속도보다 빨리 와서 표시하지 않은 프레임 수:",
  "client → server": "클라이언트 → 서버",
  "server → client": "서버 → 클라이언트",
  "{count} B": "{count}바이트",
  "Frame {number}, {direction}: {opcode}, {count} bytes": "프레임 {number}, {direction}: {opcode}, {count}바이트",
  "All bytes": "전체 바이트",
  "Taking the mask off": "마스킹 해제",
  "The payload": "페이로드",
  "continuation": "연속",
  "text": "텍스트",
  "binary": "바이너리",
  "close": "닫기",
  "ping": "핑",
  "pong": "퐁",
  "reserved": "예약됨",
  "Continues a message.": "앞서 시작한 메시지를 이어 갑니다.",
  "A text message; the payload is UTF-8.": "텍스트 메시지이며, 페이로드는 UTF-8입니다.",
  "A binary message; the payload is any bytes.": "바이너리 메시지이며, 페이로드는 임의의 바이트입니다.",
  "Begins or answers the closing handshake.": "닫기 핸드셰이크를 시작하거나 그에 응답합니다.",
  "Asks for a sign of life.": "상대가 살아 있는지 묻습니다.",
  "Answers a ping with its payload.": "핑의 페이로드를 그대로 담아 응답합니다.",
  "Not in use.": "사용하지 않습니다.",
  "no code": "코드 없음",
  "code {code}, reason “{reason}”": "코드 {code}, 사유 “{reason}”",
  "code {code}, no reason": "코드 {code}, 사유 없음",
  "empty": "비어 있음",
  "and {count} more bytes": "외 {count}바이트",
  "Field": "필드",
  "Value": "값",
  "Meaning": "의미",
  "This frame ends its message.": "이 프레임으로 메시지가 끝납니다.",
  "More of its message follows.": "메시지의 나머지가 이어집니다.",
  "Zero, as no extension was agreed on.": "합의한 확장이 없으므로 0입니다.",
  "Set by an extension.": "확장이 설정한 값입니다.",
  "opcode": "옵코드",
  "Masked, as everything that a client sends.": "마스킹됨. 클라이언트가 보내는 것은 모두 마스킹합니다.",
  "Not masked, as everything that a server sends.": "마스킹되지 않음. 서버가 보내는 것은 모두 마스킹하지 않습니다.",
  "length": "길이",
  "The payload has {count} bytes.": "페이로드는 {count}바이트입니다.",
  "126: the length is in the next two bytes.": "126: 다음 2바이트에 길이가 있습니다.",
  "127: the length is in the next eight bytes.": "127: 다음 8바이트에 길이가 있습니다.",
  "extended length": "확장 길이",
  "masking key": "마스킹 키",
  "Four random bytes, new for each frame.": "프레임마다 새로 만드는 무작위 4바이트입니다.",
  "payload": "페이로드",
  "{count} bytes": "{count}바이트",
  "on the wire": "전송된 값",
  "exclusive or": "배타적 논리합",
  "as text": "텍스트",
  "Byte `i` of the payload is combined with byte `i mod 4` of the key by exclusive or. Doing so again restores the byte.":
    "페이로드의 `i`번째 바이트를 키의 `i mod 4`번째 바이트와 배타적 논리합(XOR)으로 결합합니다. 같은 연산을 한 번 더 하면 원래 값으로 돌아옵니다.",
};

const pulse = {
  "5. Ping and pong": "5. 핑과 퐁",
  "The server sends a ping to a client that has sent nothing for {seconds} s, and closes the connection if no pong comes. A script can neither send a ping nor see one: the browser answers by itself. The `ping` message of section 4 is something else: text of tickcast's own protocol, which a script can send.":
    "클라이언트가 {seconds}초 동안 아무것도 보내지 않으면 서버가 핑을 보내고, 핑에 응답하지 않는 클라이언트의 연결은 닫습니다. 스크립트는 핑을 보낼 수도 볼 수도 없으며, 브라우저가 스스로 응답합니다. 4절의 `ping` 메시지는 이와 다릅니다. 그것은 스크립트가 보낼 수 있는, tickcast 고유 프로토콜의 텍스트 메시지입니다.",
  "The newest ping, server to client": "가장 최근의 핑(서버 → 클라이언트)",
  "The pong that answers it, client to server": "그에 응답한 퐁(클라이언트 → 서버)",
  "None yet. It comes when this page is silent for a while.": "아직 없습니다. 이 페이지가 한동안 아무것도 보내지 않으면 옵니다.",
  "{took} ms after the ping, by the server's clock": "서버 시계로 핑을 보낸 지 {took} ms 후",
  "Frame {number}": "프레임 {number}",
};

const closing = {
  "6. The closing handshake": "6. 닫기 핸드셰이크",
  "Either side ends the connection with a close frame, which has a code and may have a reason; the other side answers with a close frame of the same code, and then the server closes the TCP connection. The browser reports the code and the reason that the server has sent. Scripts may send 1000 or a code from 3000 to 4999. If no close frame comes, browsers report 1006, a code that is never sent.":
    "연결을 끝내려는 쪽이 코드와 (필요하면) 사유를 담은 닫기 프레임을 보내면 상대는 같은 코드를 담은 닫기 프레임으로 응답하고, 그다음에 서버가 TCP 연결을 닫습니다. 브라우저는 서버가 보낸 코드와 사유를 알려 줍니다. 스크립트가 보낼 수 있는 코드는 1000과 3000~4999입니다. 닫기 프레임을 받지 못하면 브라우저는 1006을 알리는데, 이 코드는 실제로 전송되는 일이 없습니다.",
  "Code": "코드",
  "Reason": "사유",
  "Close the socket": "소켓 닫기",
  "Make the server close: send a binary message": "바이너리 메시지를 보내 서버가 닫게 하기",
  "A script may send 1000 and 3000 to 4999, but not {code}.": "{code}: 스크립트가 보낼 수 없는 코드입니다. 1000과 3000~4999만 보낼 수 있습니다.",
  "The reason has {bytes} bytes in UTF-8; a close frame has room for 123.": "사유가 UTF-8로 {bytes}바이트입니다. 닫기 프레임에는 123바이트까지 담을 수 있습니다.",
  "The socket is closed already. Open a new one above.": "소켓이 이미 닫혀 있습니다. 위에서 새 소켓을 여십시오.",
  "Frame {number}, {direction}: {payload}": "프레임 {number}, {direction}: {payload}",
  "The browser reports code {code}: the connection has ended without a closing handshake.": "브라우저가 알린 코드는 {code}입니다. 닫기 핸드셰이크 없이 연결이 끝났습니다.",
  "The browser reports code {code}, reason “{reason}”, which the server has sent: closed in order.": "브라우저가 알린 것은 서버가 보낸 코드 {code}, 사유 “{reason}”입니다. 정상적으로 닫혔습니다.",
  "The browser reports code {code}, which the server has sent without a reason: closed in order.": "브라우저가 알린 것은 서버가 사유 없이 보낸 코드 {code}입니다. 정상적으로 닫혔습니다.",
  "The browser reports code {code}: the socket was never opened, so there was nothing to close.": "브라우저가 알린 코드는 {code}입니다. 소켓이 열린 적이 없으므로 닫을 것도 없었습니다.",
};

const refusals = {
  "7. Handshakes that are refused": "7. 거부되는 핸드셰이크",
  "A script of this page cannot send these, so the server makes them itself: it opens a connection to its own address, writes the request as you see it and reads the answer. Both are shown to the byte, each with what differs from a good handshake.":
    "이 페이지의 스크립트는 이런 요청을 보낼 수 없으므로 서버가 직접 보냅니다. 서버는 자기 주소로 연결을 열어 아래에 보이는 그대로 요청을 쓰고 응답을 읽습니다. 요청과 응답을 바이트 그대로 보여 주며, 올바른 핸드셰이크와 다른 부분을 강조합니다.",
  "Handshakes": "핸드셰이크",
  "No Upgrade": "Upgrade 없음",
  "Version 12": "버전 12",
  "Bad key": "잘못된 키",
  "Foreign origin": "다른 출처",
  "A good one": "올바른 요청",
  "Sent": "보낸 요청",
  "Answered": "받은 응답",
  "Without Upgrade this is a plain HTTP request. 426 says that this address speaks another protocol, and names it.":
    "Upgrade가 없으면 평범한 HTTP 요청입니다. 426은 이 주소가 다른 프로토콜을 쓴다는 뜻이며, 그 프로토콜의 이름을 알려 줍니다.",
  "The server does not speak version 12. It answers 426 and says in Sec-WebSocket-Version which one it speaks (RFC 6455, section 4.4).":
    "서버는 버전 12를 지원하지 않습니다. 426으로 응답하고, 지원하는 버전을 Sec-WebSocket-Version으로 알려 줍니다(RFC 6455, 4.4절).",
  "The key is not 16 bytes in Base64, so the request is malformed: 400.": "키가 Base64로 나타낸 16바이트가 아니므로 요청의 형식이 잘못되었습니다. 응답은 400입니다.",
  "A page of another site wants to open a socket here, and the browser may send along the cookies that it has for this site. The server sees the origin and refuses: 403.":
    "다른 사이트의 페이지가 이 서버에 소켓을 열려고 합니다. 브라우저는 이 사이트의 쿠키까지 함께 보낼 수 있습니다. 서버는 출처를 확인하고 403으로 거부합니다.",
  "A page of another site wants to open a socket here, and this server lets that site in, because its setting server.allowed_origins says so: 101.":
    "다른 사이트의 페이지가 이 서버에 소켓을 열려고 합니다. 이 서버는 server.allowed_origins 설정으로 그 사이트를 허용하므로 101로 응답합니다.",
  "Nothing is wrong with this one, but the server takes no more sockets just now, and says so: 503.":
    "잘못된 부분은 없지만, 서버가 지금은 소켓을 더 받지 않으므로 503으로 그 사실을 알립니다.",
  "The server has answered {status} this time; its answer says why.": "서버가 이번에는 {status} 코드로 응답했습니다. 이유는 응답에 적혀 있습니다.",
  "This server speaks nothing but TLS, so this went over TLS; what you see is what was inside.":
    "이 서버는 TLS로만 통신하므로 이 핸드셰이크도 TLS 안에서 이루어졌습니다. 보이는 것은 그 안의 내용입니다.",
  "The server could not show this handshake: {reason}. Try again in a moment.": "서버가 이 핸드셰이크를 보여 주지 못했습니다({reason}). 잠시 후 다시 시도하십시오.",
  "Nothing is wrong with this one: 101, and frames follow. It is the example of the RFC, and so is the answer to its key.":
    "잘못된 부분이 없으므로 101로 응답하고, 이어서 프레임이 오갑니다. RFC에 나오는 예이며, 키에 대한 응답도 RFC와 같습니다.",
  "The server could not show this handshake. Try again in a moment.": "서버가 이 핸드셰이크를 보여 주지 못했습니다. 잠시 후 다시 시도하십시오.",
};

/** @type {Readonly<Record<string, string>>} */
export const korean = { ...masthead, ...lead, ...heads, ...keys, ...offers, ...frames, ...pulse, ...closing, ...refusals };
