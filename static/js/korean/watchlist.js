// @ts-check
/**
 * Korean for the watchlist: how often it is updated, and what the viewer does with it.
 */

/** @type {Readonly<Record<string, string>>} */
export const watchlist = {
  // How often the rows are updated.
  "Row updates": "행 갱신",
  "The charted symbol and alerts get every event": "차트 종목과 알림 종목은 모든 이벤트를 받습니다",
  "{hz}/s": "초당 {hz}회",
  "every event": "모든 이벤트",
  "Data": "데이터",
  "{bytes}/s": "초당 {bytes}",
  "Messages without the heads of frames and packets": "프레임과 패킷의 헤더를 뺀 메시지의 크기",
  "Merged": "병합",
  "Events that a newer one replaced before they were sent": "보내기 전에 새 이벤트로 대체된 이벤트 수",
};
