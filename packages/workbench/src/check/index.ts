/** What a pull request is told about policies. Pure; runs in a browser. */
export { checkFiles, STAND_IN_FILE, type Checked, type CheckInput } from "./check.ts";
