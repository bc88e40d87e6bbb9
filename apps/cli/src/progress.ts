/**
 * Says on stderr what takes longer than a second: a line that redraws itself on a terminal; elsewhere, as in a file, the one
 * plain line that says what was begun, and nothing of how far it is.
 */
import type { Context } from "./context.ts";

const PATIENCE_MS = 1000;
const REDRAW_MS = 250;

export interface Progress {
  update(text: string): void;
  done(): void;
}

export function startProgress(
  context: Pick<Context, "stderr" | "env" | "now">,
  first: string,
): Progress {
  const started = context.now();
  const live = context.stderr.isTTY === true && context.env["TERM"] !== "dumb";
  let text = first;
  let told = "";
  const draw = (): void => {
    const seconds = Math.floor((context.now() - started) / 1000);
    if (live) context.stderr.write(`\r\u001b[K${text} … ${seconds}s`);
    else if (told === "") context.stderr.write(`${first} …\n`);
    told = text;
  };
  let repeat: NodeJS.Timeout | undefined;
  const patience = setTimeout(() => {
    draw();
    if (live) repeat = setInterval(draw, REDRAW_MS);
  }, PATIENCE_MS);
  return {
    update(next) {
      text = next;
    },
    done() {
      clearTimeout(patience);
      clearInterval(repeat);
      if (live && told !== "") context.stderr.write("\r\u001b[K");
    },
  };
}

export async function withProgress<T>(
  context: Pick<Context, "stderr" | "env" | "now">,
  text: string,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const progress = startProgress(context, text);
  try {
    return await work(progress);
  } finally {
    progress.done();
  }
}
