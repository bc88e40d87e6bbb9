/** Regular expressions of proxies: RE2's syntax, tried out where they stand, so that none fails while a flow is judged. */
import { RE2JS, RE2JSException } from "re2js";
import { refined } from "./shape.ts";

/** An Envoy with its usual settings refuses far shorter ones; this is what we are ready to compile. */
const LONGEST = 2000;

export const expression = refined<string>((value) => {
  if (value.length > LONGEST) {
    return {
      code: "BH0411",
      error: `this regular expression is longer than ${LONGEST} characters`,
      help: "make it several rules",
    };
  }
  try {
    RE2JS.compile(value);
    return { value };
  } catch (problem) {
    if (!(problem instanceof RE2JSException)) throw problem;
    const reason = problem.message.replace(/^error parsing regexp: /, "");
    return {
      code: "BH0411",
      error: `not a regular expression: ${reason}`,
      help: "the syntax is RE2's, which has neither lookaround nor references back",
    };
  }
});
