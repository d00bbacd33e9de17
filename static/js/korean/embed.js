// @ts-check
/**
 * Korean for the embedded ticker. The keys are the English phrases (`i18n.js`).
 */

/** @type {Readonly<Record<string, string>>} */
export const korean = {
  "Prices": "시세",
  "24 hours": "24시간",
  "Connecting": "연결 중",
  "Live": "실시간",
  "Replay": "재생",
  "Reconnecting": "다시 연결 중",
  "Disconnected": "연결 종료됨",
  "{symbol}, the last 24 hours: from {low} to {high}": "{symbol}, 최근 24시간: {low} – {high}",
  "No symbol is named: the address needs ?symbol=AAPL.": "종목이 없습니다. 주소에 ?symbol=AAPL이 필요합니다.",
  "The server does not trade {symbols}.": "{symbols}은(는) 이 서버에서 거래되지 않습니다.",
};
