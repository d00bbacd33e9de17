// @ts-check
/**
 * Korean names of the companies in config/symbols.toml, as the Korean press writes them, by symbol. They are shown on a page in Korean,
 * and the search finds them on every page.
 */

/** @type {Readonly<Record<string, string>>} */
export const companies = {
  "AAPL": "애플",
  "MSFT": "마이크로소프트",
  "NVDA": "엔비디아",
  "AMZN": "아마존닷컴",
  "GOOGL": "알파벳 클래스 A",
  "META": "메타 플랫폼스",
  "TSLA": "테슬라",
  "JPM": "JP모건 체이스",
  "V": "비자",
  "XOM": "엑슨모빌",
  "BRK.B": "버크셔 해서웨이 클래스 B",
  "BAC": "뱅크 오브 아메리카",
  "UNH": "유나이티드헬스 그룹",
  "LLY": "일라이 릴리",
  "JNJ": "존슨앤드존슨",
  "PG": "프록터 앤드 갬블",
  "KO": "코카콜라",
  "WMT": "월마트",
  "COST": "코스트코 홀세일",
  "HD": "홈디포",
  "MCD": "맥도날드",
  "NFLX": "넷플릭스",
  "DIS": "월트 디즈니",
  "AMD": "AMD",
  "CVX": "셰브론",
  "CAT": "캐터필러",
  "BA": "보잉",
  "LIN": "린데",
  "NEE": "넥스트에라 에너지",
  "AMT": "아메리칸 타워",
};
