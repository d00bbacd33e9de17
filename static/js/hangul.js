// @ts-check
/**
 * Takes Hangul apart, so that a search matches while a syllable is still being typed, and by first consonants: ㅁㅇㅋ finds 마이크로소프트.
 *
 * Owns: the letters of Unicode's syllables (The Unicode Standard, section 3.12). Pure.
 */

const FIRST = [..."ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"];
const VOWELS = [..."ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"];
const LAST = ["", ..."ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"];
/** Letters that an input method joins although two keys were pressed. @type {Readonly<Record<string, string>>} */
const PAIRS = {
  "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ", "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ", "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
  "ㅘ": "ㅗㅏ", "ㅙ": "ㅗㅐ", "ㅚ": "ㅗㅣ", "ㅝ": "ㅜㅓ", "ㅞ": "ㅜㅔ", "ㅟ": "ㅜㅣ", "ㅢ": "ㅡㅣ",
};
const SYLLABLES = { first: 0xac00, last: 0xd7a3 };

/** @param {string} character @returns {[string, string, string] | null} the letters of a syllable */
function syllable(character) {
  const code = character.codePointAt(0) ?? 0;
  if (code < SYLLABLES.first || code > SYLLABLES.last) return null;
  const index = code - SYLLABLES.first;
  return [FIRST[Math.floor(index / 588)], VOWELS[Math.floor((index % 588) / 28)], LAST[index % 28]];
}

/** Returns the keys that were pressed for a text: "엔비" is "ㅇㅔㄴㅂㅣ". Other characters stay. @param {string} text */
export function lettersOf(text) {
  return [...text].map((character) => syllable(character)?.map((letter) => PAIRS[letter] ?? letter).join("") ?? PAIRS[character] ?? character).join("");
}

/** Returns the first consonant of each syllable; other characters stay. @param {string} text */
export function initialsOf(text) {
  return [...text].map((character) => syllable(character)?.[0] ?? character).join("");
}

/** Whether a text consists of consonants only, as one that searches by first consonants. @param {string} letters of `lettersOf` */
export function isInitials(letters) {
  return /^[ㄱ-ㅎ]+$/u.test(letters);
}
