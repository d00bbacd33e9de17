// @ts-check
/**
 * Korean for the bar of a replay. The keys are the English phrases (`i18n.js`).
 */

/** @type {Readonly<Record<string, string>>} */
export const replay = {
  "Replay": "재생",
  "Replay · {title}": "재생 · {title}",
  "to another time": "다른 시각으로 이동",
  "Resume": "계속",
  "From the beginning": "처음부터",
  "Step": "한 단계",
  "Publishes the next event; with Shift the next {count}": "다음 이벤트 하나를 내보냅니다. Shift 키를 누르면 {count}개를 내보냅니다",
  "Speed of the replay": "재생 속도",
  "Recorded time": "기록된 시각",
  "repeats": "반복",
  "max": "최대",
  "Only an operator of the server can control the replay.": "서버 운영자만 재생을 제어할 수 있습니다.",
  "The server refuses that: {detail}": "서버가 거부했습니다: {detail}",
  "Going to another time": "다른 시각으로 이동 중",
  "Paused": "일시정지됨",
  "The files have ended.": "파일이 끝났습니다.",
  "The replay has failed: {complaint}": "재생에 실패했습니다: {complaint}",
  "Speed {speed}": "속도 {speed}",
  "{count} figures rounded": "반올림한 수치 {count}개",
  "{count} records left out": "제외한 기록 {count}건",
  "{count} rows put in order": "순서를 바로잡은 행 {count}개",
  "Space": "스페이스",
  "replay: pause and go on": "재생: 일시정지와 계속",
};
