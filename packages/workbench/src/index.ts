/** What a person does with policies at a desk: suggestions as text, plans as data. Pure; runs in a browser. */
export { inventoryDraft, type DiscoveredWorkload } from "./inventory-draft.ts";
export { plan, type Plan, type PlanInput } from "./plan.ts";
export { runPolicyTests, type TestResult } from "./policy-tests.ts";
export { diffResources, type ResourceDiff } from "./resource-diff.ts";
export { SUGGESTION_FILE, suggestionReport, type SuggestionReport } from "./suggestion-report.ts";
export { REASONS, suggestionText } from "./suggestion-text.ts";
