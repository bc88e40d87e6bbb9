/**
 * What the demo prints: short headings, aligned figures, a table at the end. Results go to stdout; what is
 * under way goes to stderr, and only to a terminal. With `--json` only the machine-readable end is printed.
 */
const WIDTH = 54;

type Paint = (text: string) => string;

function paints(enabled: boolean): Readonly<Record<"bold" | "dim" | "good" | "bad", Paint>> {
  const code =
    (open: number, close: number): Paint =>
    (text) =>
      enabled ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return { bold: code(1, 22), dim: code(2, 22), good: code(32, 39), bad: code(31, 39) };
}

export class Screen {
  readonly #json: boolean;
  readonly #live: boolean;
  readonly #paint: ReturnType<typeof paints>;
  readonly #from = performance.now();
  #number = 0;
  #pending = false;

  constructor(options: { readonly json: boolean; readonly env: NodeJS.ProcessEnv }) {
    this.#json = options.json;
    this.#live = process.stderr.isTTY === true;
    const plain = options.env["NO_COLOR"] !== undefined && options.env["NO_COLOR"] !== "";
    this.#paint = paints(process.stdout.isTTY === true && !plain);
  }

  get seconds(): number {
    return (performance.now() - this.#from) / 1000;
  }

  title(text: string, aside: string): void {
    this.#line(`${this.#paint.bold(text)}  ${this.#paint.dim(aside)}`);
  }

  heading(text: string): void {
    this.#number += 1;
    const at = `${this.seconds.toFixed(0)} s`;
    this.#line("");
    this.#line(
      `${this.#paint.bold(`${String(this.#number).padStart(2)}  ${text}`)}  ${this.#paint.dim(at)}`,
    );
  }

  figure(name: string, value: string | number): void {
    this.#line(`    ${name.padEnd(WIDTH)} ${String(value)}`);
  }

  note(text: string): void {
    this.#line(`      ${this.#paint.dim(text)}`);
  }

  fault(text: string): void {
    this.#line(`    ${this.#paint.bad(text)}`);
  }

  plain(text: string): void {
    this.#line(text);
  }

  verdict(good: boolean, text: string): void {
    this.#line(good ? this.#paint.good(text) : this.#paint.bad(text));
  }

  mark(good: boolean): string {
    return good ? this.#paint.good("holds") : this.#paint.bad("FAILS");
  }

  /** What is being done; overwritten by the next line. */
  progress(text: string): void {
    if (!this.#live) return;
    process.stderr.write(`\r\u001b[2K    … ${text}`);
    this.#pending = true;
  }

  json(value: unknown): void {
    if (this.#json) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  #line(text: string): void {
    if (this.#pending) process.stderr.write("\r\u001b[2K");
    this.#pending = false;
    if (!this.#json) process.stdout.write(`${text}\n`);
  }
}
