/** Three-way comparison, for sorts that must not depend on where anything runs. */
export function compare<T extends string | number | bigint>(a: T, b: T): -1 | 0 | 1 {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}
