// Who uses the server while the trial goes on, and what became of every request: somebody outside who reads its page, and
// on the server those who ask its databases.
import type { ChildProcess } from "node:child_process";
import { until } from "../../apps/controller/test/lab.ts";
import type { Machine } from "../../test/machine/machine.ts";
import { CUSTOMER, OUTSIDE } from "./server.ts";

export class Customers {
  readonly #machine: Machine;
  readonly #processes: ChildProcess[];
  #answered = 0;
  readonly #failed: string[] = [];

  constructor(machine: Machine) {
    this.#machine = machine;
    const reader = machine.keepOutside(CUSTOMER);
    reader.stdout?.setEncoding("utf8").on("data", (text: string) => {
      for (const code of text.trim().split("\n")) {
        if (code === "200") this.#answered += 1;
        else this.#failed.push(code);
      }
    });
    this.#processes = [machine.keepOutside(OUTSIDE), reader];
  }

  /** Until so many more were answered; returns what was counted since the last time, as a sentence. */
  async count(more = 20): Promise<string> {
    const before = this.#answered;
    await until(async () => this.#answered >= before + more, "nobody is served", 60_000);
    await this.#databases();
    const said = `Meanwhile the page was asked for from outside ${this.#answered + this.#failed.length} times: ${this.#failed.length} failed. PostgreSQL and Redis answer.`;
    if (this.#failed.length > 0) throw new Error(`requests failed: ${this.#failed.join(", ")}`);
    this.#answered = 0;
    return `${said} ${await this.#feed()}`;
  }

  /** What is asked for while the machine is away is not counted. */
  forget(): void {
    this.#answered = 0;
    this.#failed.length = 0;
  }

  async #databases(): Promise<void> {
    await this.#machine.well("redis-cli", "ping");
    await this.#machine.well("runuser", "-u", "postgres", "--", "psql", "-c", "select 1");
  }

  /** A lost packet shows: TCP sends the first one again after a second (RFC 6298), a resolver after five. */
  async #feed(): Promise<string> {
    const journal = "journalctl --boot --unit=feed.service --output=cat --no-pager";
    const said = await this.#machine.sh(journal);
    const times = [...said.matchAll(/^connected after ([\d.]+) s$/gm)].map(([, text]) =>
      Number(text),
    );
    // What never connected says 0; so does all before whom it asks was there.
    const heard = times.slice(times.findIndex((time) => time > 0));
    const late = heard.filter((time) => time === 0 || time >= 1);
    if (late.length > 0) throw new Error(`the feed had to try again: ${times.join(", ")}`);
    return `Since the machine was started, the timer's feed ran ${heard.length} times: 0 had to try again.`;
  }

  end(): void {
    for (const { pid } of this.#processes) if (pid !== undefined) process.kill(-pid, "SIGKILL");
  }
}
