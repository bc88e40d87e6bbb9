/** What Cilium has no words for, thrown where it is met and caught where the rule or policy is left out, or refused. */
export class Unsayable extends Error {
  /** As `this rule says …`; who catches it says of which target. */
  readonly what: string;
  constructor(what: string) {
    super(what);
    this.what = what;
  }
}
