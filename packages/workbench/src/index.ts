/** What a person does with policies at a desk: suggestions as text, inventories drafted, a policy's own tests. Pure; runs in a browser. */
export { inventoryDraft, type DiscoveredWorkload } from "./inventory-draft.ts";
export { inventoryExport, type ExportedWorkload, type ExportInput } from "./inventory-export.ts";
export {
  awaitedName,
  awaitedText,
  dateText,
  dayText,
  gapText,
  READINESS_STATES,
  readinessLine,
  seenText,
  unseenText,
  toldText,
  waitsFor,
  weakenedText,
} from "./readiness-text.ts";
export { proposedIn } from "./proposed-labels.ts";
export { runPolicyTests, type TestResult } from "./policy-tests.ts";
export { suggestionMarkdown, type PullRequest } from "./suggestion-markdown.ts";
export { replaySuggestion, type ReplayCounts } from "./suggestion-replay.ts";
export {
  reportedReadiness,
  SUGGESTION_FILE,
  suggestionReport,
  type SuggestionReport,
} from "./suggestion-report.ts";
export { beyondOf, fewerRulesText, numberOf, slackText, totalText } from "./slack-text.ts";
export { suggestionFiles, type SuggestedFile } from "./suggestion-files.ts";
export { listedAsides, listedNames } from "./aside-groups.ts";
export { COVERED, isLeftOpen, LEFT_OPEN, PURPOSES, REASONS, UNATTRIBUTED } from "./reasons.ts";
export { formerNamesText } from "./former-names.ts";
export { suggestionText } from "./suggestion-text.ts";
