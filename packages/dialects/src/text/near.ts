/** "Did you mean": the nearest of the words that could stand at a place, when it is near enough to be a slip. */
import { distance } from "fastest-levenshtein";

/** The nearest candidate, or null when more than a third of the word would have to change. */
export const nearest = (word: string, candidates: readonly string[]): string | null => {
  const limit = Math.max(1, Math.ceil(word.length / 3));
  let best: string | null = null;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const d = distance(word.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
};

export const wordList = (words: readonly string[]): string =>
  words.map((word) => `\`${word}\``).join(", ");

/** Help for a word that is none of the candidates: the near one, or all of them when there are few. */
export const didYouMean = (word: string, candidates: readonly string[]): string => {
  const near = nearest(word, candidates);
  if (near !== null) return `did you mean \`${near}\`?`;
  return `allowed here: ${wordList(candidates)}`;
};
