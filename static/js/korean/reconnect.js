// @ts-check
/**
 * Korean for why a connection was closed. The keys are the English phrases (`i18n.js`).
 */

/** @type {Readonly<Record<string, string>>} */
export const reconnect = {
  "the server rejected what this page sent": "서버가 이 페이지의 메시지를 거부함",
  "this page sent too many requests": "이 페이지가 요청을 너무 많이 보냄",
  "the server closed the connection": "서버가 연결을 닫음",
  "the server is restarting": "서버가 다시 시작하는 중",
  "the connection was lost": "연결이 끊김",
  "the connection was open, but brought no prices": "연결은 되어 있었지만 시세가 오지 않음",
  "the server is overloaded": "서버에 과부하가 걸림",
  "this page did not read the server's answers": "이 페이지가 서버의 응답을 읽지 않음",
  "the server heard nothing from this page": "서버가 이 페이지에서 아무것도 받지 못함",
  "this page could not keep up with the prices": "이 페이지가 시세를 따라가지 못함",
  "what the key permits has changed": "키의 권한이 바뀜",
  "an operator of the server has ended the connection": "서버 운영자가 연결을 끊음",
  "the market goes on from another time": "시장이 다른 시각으로 이동함",
  "the key has expired": "키가 만료됨",
  "the key is no longer valid": "키가 더 이상 유효하지 않음",
  "this page did not authenticate in time": "이 페이지가 제때 인증하지 않음",
  "a newer connection replaced this one": "새 연결이 이 연결을 대체함",
  "the key has too many connections": "키의 연결이 너무 많음",
  "the file of the replay cannot be read on": "재생 파일을 더 읽을 수 없음",
};
