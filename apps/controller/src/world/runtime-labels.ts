/** Labels that a container runtime gives: by whoever runs the container, not by what runs in it. */
import { isReservedLabel, type Labels } from "@bulkhead/model";

const COMPOSE_PROJECT = "com.docker.compose.project";
const COMPOSE_SERVICE = "com.docker.compose.service";
/** What the system itself says of workloads; images carry labels of their makers' choice. */
const RESERVED = "bulkhead.dev/";

export function runtimeLabels(labels: Labels): Labels {
  const service = labels[COMPOSE_SERVICE];
  const usable = Object.entries(labels).filter(
    ([key]) =>
      !isReservedLabel(key) &&
      !key.startsWith("com.docker.") &&
      !key.startsWith("org.opencontainers.") &&
      !key.startsWith(RESERVED),
  );
  return { ...(service === undefined ? {} : { app: service }), ...Object.fromEntries(usable) };
}

/** As a namespace; empty without one. */
export const composeProject = (labels: Labels): string => nameFrom(labels[COMPOSE_PROJECT] ?? "");

export function nameFrom(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, "-")
    .replaceAll(/^[-.]+|[-.]+$/g, "");
}
