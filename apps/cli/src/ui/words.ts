/** Numbers, times and sizes as people read them. */

export function count(value: number, one: string, many = `${one}s`): string {
  return `${thousands(value)} ${value === 1 ? one : many}`;
}

export function thousands(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** `1.2 MB`: decimal units, as networks are counted. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let rest = value;
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${unit === 0 || rest >= 99.95 ? Math.round(rest) : rest.toFixed(1)} ${units[unit]}`;
}

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

export function ago(time: number | undefined, now: number): string {
  return time === undefined ? "never" : `${duration(now - time)} ago`;
}

/** `2026-11-20 07:45:14Z`: UTC, as logs and other machines have it. */
export function moment(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** `07:45:14.123` of the day, UTC, for lines of a stream. */
export function clock(time: number): string {
  return new Date(time).toISOString().slice(11, 23);
}

export function list(words: readonly string[], limit = 3): string {
  if (words.length <= limit) return words.join(", ");
  return `${words.slice(0, limit).join(", ")} and ${words.length - limit} more`;
}
