/** What a view knows of the place it is shown in. Views are pure: answer and Ui in, text out. */
import type { Style } from "./style.ts";

export interface Ui {
  readonly style: Style;
  readonly columns: number;
  /** `-o wide`: everything, however long the lines. */
  readonly wide: boolean;
  /** Milliseconds since the epoch, for ages. */
  readonly now: number;
}
