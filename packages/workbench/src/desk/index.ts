/** Policies at a desk: files in, answers out, with no machine, no daemon and no cluster. Pure; runs in a browser. */
export { openDesk, type Desk, type DeskOptions, type HostNetworkReading } from "./desk.ts";
