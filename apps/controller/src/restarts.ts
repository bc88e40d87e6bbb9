/** How often the supervisor has started this program again after it ended by itself, as it says in the environment. */
export interface Restarts {
  readonly count: number;
  /** When it ended last. */
  readonly at: number;
  /** `SIGKILL`, `exit 1`. */
  readonly how: string;
}

/** `2 1790000000000 SIGKILL`; undefined where nothing, or nothing of this form, is said. */
export function readRestarts(text = ""): Restarts | undefined {
  const [, count, at, how] = /^([1-9]\d{0,8}) (\d{1,15}) ([\w ]{1,40})$/.exec(text) ?? [];
  return how === undefined ? undefined : { count: Number(count), at: Number(at), how };
}
