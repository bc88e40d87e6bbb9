/** What a person does with policies at a desk: suggestions as text, plans as data. Pure; runs in a browser. */
export { REASONS, suggestionText } from "./suggestion-text.ts";
