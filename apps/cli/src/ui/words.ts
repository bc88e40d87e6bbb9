/** Numbers, times and sizes as people read them; those that reports hold too come from there. */

export { bytes, many as count, moment, thousands } from "@bulkhead/workbench/words";

export function percent(ratio: number): string {
  return `${Math.floor(ratio * 100)} %`;
}

/** `3s`, `90s`, `4m`, `2h`, `5d` */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** A span that was counted back from a moment ago: `30d`, not the 29 that are whole by now. */
export const spanSince = (since: number, now: number): string =>
  duration(Math.round((now - since) / 1000) * 1000);

export function ago(time: number | undefined, now: number): string {
  return time === undefined ? "never" : `${duration(now - time)} ago`;
}

/** `07:45:14.123` of the day, UTC, for lines of a stream. */
export function clock(time: number): string {
  return new Date(time).toISOString().slice(11, 23);
}

export function list(words: readonly string[], limit = 3): string {
  if (words.length <= limit) return words.join(", ");
  return `${words.slice(0, limit).join(", ")} and ${words.length - limit} more`;
}
