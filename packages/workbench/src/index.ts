/** What a person does with policies at a desk: suggestions as text, plans as data. Pure; runs in a browser. */
export { SUGGESTION_FILE, suggestionReport, type SuggestionReport } from "./suggestion-report.ts";
export { REASONS, suggestionText } from "./suggestion-text.ts";
