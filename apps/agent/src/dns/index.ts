/** Names of addresses, from the DNS answers that workloads and the machine were seen to get. */
export { createDnsIntake, openDnsLog, type DnsAnswer, type DnsIntake } from "./dns-intake.ts";
export type { NamedAddress } from "./dns-message.ts";
export { NameTable, type NameClient } from "./name-table.ts";
