// @ts-check
/**
 * Korean for the charts of the live page. The keys are the English phrases (`i18n.js`).
 */

/** @type {Readonly<Record<string, string>>} */
export const chart = {
  "Map of the market": "시장 지도",
  "Change since the previous close": "전일 종가 대비 등락률",
  "Close the map": "지도 닫기",
  "chart": "차트",
  "The history could not be loaded: the server has answered with something else.": "과거 데이터를 불러오지 못했습니다. 서버가 다른 내용으로 응답했습니다.",
  "The history could not be loaded: the server takes too long.": "과거 데이터를 불러오지 못했습니다. 서버의 응답이 너무 늦습니다.",
  "Kind of chart": "차트 종류",
  "Candles": "캔들",
  "Line": "선",
  "Area": "영역",
  "Indicators": "지표",
  "SMA 20, simple moving average": "SMA 20, 단순 이동평균",
  "SMA 50, simple moving average": "SMA 50, 단순 이동평균",
  "EMA 20, exponential moving average": "EMA 20, 지수 이동평균",
  "VWAP, average price of the day by volume": "VWAP, 당일 거래량 가중 평균가",
  "Bollinger bands, 20 bars, 2 deviations": "볼린저 밴드, 20봉, 표준편차 2배",
  "Compare with a symbol": "다른 종목과 비교",
  "Compare…": "비교…",
  "Number of charts": "차트 수",
  "1 chart": "차트 1개",
  "2 charts": "차트 2개",
  "3 charts": "차트 3개",
  "4 charts": "차트 4개",
  "Log scale": "로그 눈금",
  "Log": "로그",
  "Fit all bars": "모든 봉 맞추기",
  "Save a picture": "그림으로 저장",
  "Full screen": "전체 화면",
  "Newest": "최신",
  "To the newest bar": "최신 봉으로",
  "No trades": "체결 없음",
  "No data since {time}": "{time} 이후 데이터 없음",
  "Symbol of chart {number}": "차트 {number}의 종목",
  "Interval of chart {number}": "차트 {number}의 간격",
  "Time left in the bar": "봉 마감까지 남은 시간",
};
