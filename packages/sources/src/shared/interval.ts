/**
 * How long the intervals are that a source sums up in, told by its records: the smallest usual length that holds them all.
 * An origin is one object for as long as it says the same.
 */
import type { FlowFormat, FlowOrigin } from "@bulkhead/model";

/** Seconds: what GCP, AWS, Azure and Calico may be set to. */
const USUAL = [0, 1, 5, 10, 15, 30, 60, 300, 600, 900, 3600].map((seconds) => seconds * 1000);

export class SummedOrigin {
  readonly #format: FlowFormat;
  readonly #sampling: number;
  #longest = 0;
  #anyGuessed = false;
  #told: FlowOrigin;
  #guessed: FlowOrigin;

  constructor(format: FlowFormat, sampling: number, aggregation = 0) {
    this.#format = format;
    this.#sampling = sampling;
    this.#longest = aggregation;
    this.#told = this.#make("told");
    this.#guessed = this.#make("guessed");
  }

  /** Of a record that sums so many milliseconds. */
  of(span: number, direction: FlowOrigin["direction"]): FlowOrigin {
    if (span > this.#longest) {
      // A record may be a little longer than the interval that was set.
      this.#longest = USUAL.find((usual) => span <= usual * 1.1) ?? span;
      this.#told = this.#make("told");
      this.#guessed = this.#make("guessed");
    }
    if (direction === "told") return this.#told;
    this.#anyGuessed = true;
    return this.#guessed;
  }

  /** Of all together. */
  get whole(): FlowOrigin {
    return this.#anyGuessed ? this.#guessed : this.#told;
  }

  #make(direction: FlowOrigin["direction"]): FlowOrigin {
    const aggregation = this.#longest;
    return { format: this.#format, sampling: this.#sampling, aggregation, direction };
  }
}
