/** Policies at a desk: files in, answers out, with no machine, no daemon and no cluster. Pure; runs in a browser. */
export {
  openDesk,
  type Desk,
  type DeskOptions,
  type HostNetworkReading,
  type Seats,
} from "./desk.ts";
export type { HeldFiles } from "./held.ts";
export {
  createAsker,
  errorLine,
  type Asker,
  type DecideAnswer,
  type Determined,
} from "./answer.ts";
export { createEndFinder, type DeskEnd, type FindEnd } from "./ends.ts";
export type { Found, Problem } from "./problem.ts";
export type { Question } from "./question.ts";
export {
  connectivityOf,
  type Connectivity,
  type Party,
  type PartyConnection,
} from "./connectivity.ts";
export { connectivitySvg } from "./connectivity-map.ts";
export { connectionText, NO_CONNECTIONS } from "./connection-text.ts";
export { HOST_NAME, rangeName, workloadName } from "./end-names.ts";
export { cutWorld, pairsOf, WHOLE_WORLD, type Pair, type WorldView } from "./pairs.ts";
export { PAIR_FORMATS, pairFormats, type PairAnswer, type PairFormat } from "./pair-formats.ts";
export { isMoreThanLines } from "./beyond-lines.ts";
export {
  differencesBeyondLines,
  differencesOf,
  isTellable,
  type Difference,
  type DifferenceKind,
} from "./differences.ts";
export {
  DIFFERENCE_FORMATS,
  differenceAnswer,
  differenceFormats,
  portsTexts,
  type DifferenceAnswer,
  type DifferenceFormat,
} from "./difference-formats.ts";
export { testDesk } from "./tests.ts";
export {
  auditOf,
  changeOf,
  nearestOf,
  traceSteps,
  verdictOf,
  type NearestRule,
  type ToldChange,
  type TraceStep,
} from "./explanation.ts";
export { onePort, type OnePort } from "./one-port.ts";
export { explainAtDesk, type DeskExplanation } from "./explain.ts";
export { exposuresOf, type Exposure, type Exposures } from "./exposure.ts";
export {
  EXPOSURE_FORMATS,
  exposureAnswer,
  exposureFormats,
  type ExposureAnswer,
  type ExposureFormat,
} from "./exposure-formats.ts";
export { prove, type Proof, type ProofOptions, type ProvedHop } from "./prove/prove.ts";
export { parseStatement, STATEMENTS, type Statement } from "./prove/statement.ts";
export { blastAt, type DeskBlast } from "./blast.ts";
export {
  convert,
  isRefused,
  type Conversion,
  type ConvertOptions,
  type Relation,
} from "./convert.ts";
export {
  suggestionIn,
  type ConvertedSuggestion,
  type FileInForce,
  type SuggestionFor,
} from "./suggestion-in.ts";
export { untoldOf, type Untold } from "./untold.ts";
