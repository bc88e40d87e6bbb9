/** Numbers, times and sizes as people read them, in comments, reports and on the terminal. */

export function many(value: number, one: string, more = `${one}s`): string {
  return `${thousands(value)} ${value === 1 ? one : more}`;
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

/** `2026-11-20 07:45:14Z`: UTC, as logs and other machines have it. */
export function moment(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19).replace("T", " ")}Z`;
}
