// @ts-check
/**
 * Korean for what every page has: the masthead and the figures' words. The keys are the English phrases (`i18n.js`).
 */

/** @type {Readonly<Record<string, string>>} */
export const masthead = {
  "Pages": "페이지",
  "Live": "실시간",
  "Transports": "전송 방식 비교",
  "Handshake": "핸드셰이크",
};
