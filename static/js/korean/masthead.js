// @ts-check
/**
 * Korean for what every page has: the masthead and the figures' words. The keys are the English phrases (`i18n.js`).
 */

/** @type {Readonly<Record<string, string>>} */
export const masthead = {
  "Pages": "페이지",
  "Prices": "시세",
  "Transports": "전송 방식 비교",
  "Handshake": "핸드셰이크",
  "This server asks for a key": "이 서버는 키를 요구합니다",
  "Give the secret of your key, or a token. It stays in this tab until you close it or sign out.": "키의 비밀값이나 토큰을 입력하십시오. 탭을 닫거나 로그아웃할 때까지 이 탭에만 남습니다.",
  "Key": "키",
  "Sign in": "로그인",
  "Signing in": "로그인 중",
  "Sign out": "로그아웃",
  "Not now": "나중에",
  "The server does not accept this key.": "서버가 받아들이지 않는 키입니다.",
  "The key was cut or mistyped: its checksum is wrong.": "키가 잘렸거나 잘못 입력되었습니다. 체크섬이 맞지 않습니다.",
  "This key may not be used here.": "이 키는 여기에서 쓸 수 없습니다.",
  "Too many requests came from your address. Wait a minute.": "이 주소에서 요청이 너무 많이 왔습니다. 1분 뒤에 다시 시도하십시오.",
  "The server does not answer. Try again.": "서버가 응답하지 않습니다. 다시 시도하십시오.",
  "Your key is no longer valid.": "키가 더 이상 유효하지 않습니다.",
};
