/**
 * Runs any number of probes side by side on one thread: opens both ends, sends, and looks at all sockets in turns until each
 * probe is decided or its time is up. Blocking time is bounded by `step`'s caller; nothing in here waits by itself.
 */
import { isKernelError } from "../kernel/kernel-error.ts";
import { openAttempt, type Attempt } from "./attempt.ts";
import { judge, type Observation, type ProbeRequest, type ProbeResult } from "./probe.ts";
import {
  looseSighting,
  openWitness,
  placeOf,
  responderKey,
  share,
  sightingFor,
  TRANSIT,
  witnessKey,
  type Shared,
  type Surroundings,
} from "./probe-ends.ts";
import { NotRunningError } from "./inside-group.ts";
import { openResponder, type Responder } from "./responder.ts";
import type { Sighting } from "./sighting.ts";
import { openTransitWitness, type Witness } from "./witness.ts";

/** Long enough for the first retransmission of a SYN (RFC 6298: after 1 s), should the machine be so loaded that one is lost. */
const PASS_LIMIT_MS = 1600;
/** A packet crosses a bridge or router in well under a millisecond; this is patience for a loaded machine. */
const BLOCKED_LIMIT_MS = 800;
/** After one end has spoken, so long the other is waited for. */
const GRACE_MS = 120;

interface Running {
  readonly request: ProbeRequest;
  readonly attempt: Attempt;
  readonly witness: Witness;
  readonly witnessPlace: Observation["witness"];
  /** Shows that the packet left a workload; absent for probes from the host. */
  readonly departure: Witness | null;
  /** Asked at the end: could a packet have been handed to the destination? */
  readonly reachable: () => boolean | null;
  readonly missedBefore: number;
  readonly sighting: Sighting;
  readonly sentAt: number;
  readonly release: () => void;
  readonly done: (result: ProbeResult) => void;
  departed: boolean;
  witnessed: boolean;
  connected: boolean;
  refusal: string | undefined;
  /** When the first end spoke. */
  spokenAt: number | null;
}

export interface ProbeRun {
  readonly active: number;
  /** Opens and sends; failures to do so are results too. */
  start(request: ProbeRequest, done: (result: ProbeResult) => void): void;
  /** Looks at everything once and finishes what is decided. */
  step(): void;
}

/** `clock`: milliseconds, monotonic. */
export function createProbeRun(surroundings: Surroundings, clock: () => number): ProbeRun {
  const running = new Set<Running>();
  const bySighting = new Map<Sighting, Running>();
  const responders = new Map<string, Shared<Responder>>();
  const witnesses = new Map<string, Shared<Witness>>();
  /** First packets of other people's connections seen coming in: what of them goes out again proves nothing about a probe. */
  const passersBy = new Set<Sighting>();
  /**
   * By protocol, destination and port, the probe that came in last. What goes out follows at once what came in, so a
   * first packet whose source was translated is that probe's.
   */
  const lastDeparted = new Map<Sighting, Running>();

  const start = (request: ProbeRequest, done: (result: ProbeResult) => void): void => {
    const releases: (() => void)[] = [];
    const release = (): void => {
      // The last opened first: the source closes its connection before the listener goes.
      for (const one of releases.splice(0).toReversed()) one();
    };
    try {
      const place = placeOf(request, surroundings);
      const witness = share(
        witnesses,
        witnessKey(request, place),
        () => openWitness(request, place),
        releases,
      );
      const responder =
        place === "uplink"
          ? { kind: "service" as const }
          : share(
              responders,
              responderKey(request),
              () => openResponder(request, request.destinationNetns),
              releases,
            );
      const nonce = (Math.random() * 0x1_0000_0000) >>> 0;
      const attempt = openAttempt(request, responder.kind, nonce);
      releases.push(attempt.close);
      const sighting = sightingFor(request, attempt.sourcePort);
      if (bySighting.has(sighting)) throw new Error("the same probe is already under way");
      const departure =
        request.sourceNetns === undefined
          ? null
          : share(witnesses, TRANSIT, openTransitWitness, releases);
      // Before sending, so that resolution and probe go side by side.
      const reachable = surroundings.reachability(request, place);
      const missedBefore = witness.missed();
      const probe: Running = {
        request,
        attempt,
        witness,
        witnessPlace: place,
        departure,
        reachable,
        missedBefore,
        sighting,
        sentAt: clock(),
        release,
        done,
        departed: false,
        witnessed: false,
        connected: false,
        refusal: undefined,
        spokenAt: null,
      };
      const refused = attempt.send();
      if (refused !== null && isOwnRules(request, refused.refusal)) {
        probe.refusal = refused.refusal;
      } else if (refused !== null) {
        const result = resultOf(probe, { sent: false, refusal: refused.refusal }, clock());
        release();
        done(result);
        return;
      }
      running.add(probe);
      bySighting.set(sighting, probe);
    } catch (error) {
      release();
      done(troubled(request, sentenceOf(error, request)));
    }
  };

  const finish = (probe: Running): void => {
    running.delete(probe);
    bySighting.delete(probe.sighting);
    const untranslated = looseSighting(probe.sighting);
    if (lastDeparted.get(untranslated) === probe) lastDeparted.delete(untranslated);
    const result = resultOf(
      probe,
      { sent: true, ...(probe.refusal === undefined ? {} : { refusal: probe.refusal }) },
      clock(),
    );
    probe.release();
    probe.done(result);
  };

  const step = (): void => {
    for (const { value } of responders.values()) value.serve();
    for (const [key, { value: witness }] of witnesses) {
      const transit = key === TRANSIT;
      witness.drain((sighting, outgoing) => {
        if (transit && !outgoing) {
          const left = bySighting.get(sighting);
          if (left === undefined) remember(passersBy, sighting);
          else {
            left.departed = true;
            if (left.witnessPlace === "uplink") lastDeparted.set(looseSighting(sighting), left);
          }
          return;
        }
        const translated = transit && !passersBy.has(sighting);
        const seen =
          bySighting.get(sighting) ??
          (translated ? lastDeparted.get(looseSighting(sighting)) : undefined);
        if (seen !== undefined && seen.witness === witness && (transit || !outgoing))
          seen.witnessed = true;
      });
    }
    const now = clock();
    for (const probe of running) {
      if (!probe.connected && probe.refusal === undefined) {
        const answer = probe.attempt.look();
        if (answer === "answered") probe.connected = true;
        else if (answer !== "none") probe.refusal = answer.refusal;
      }
      if (
        probe.spokenAt === null &&
        (probe.connected || probe.witnessed || probe.refusal !== undefined)
      )
        probe.spokenAt = now;
      if (isDecided(probe, now)) finish(probe);
    }
  };

  return {
    get active() {
      return running.size;
    },
    start,
    step,
  };
}

/** What our own machine sends meets its rules before the wire, and the sender is told (netfilter: a dropped datagram is EPERM). */
const isOwnRules = ({ sourceNetns }: ProbeRequest, refusal: string): boolean =>
  sourceNetns === undefined && refusal === "EPERM";

const MOST_REMEMBERED = 10_000;

function remember(sightings: Set<Sighting>, sighting: Sighting): void {
  if (sightings.size >= MOST_REMEMBERED) sightings.clear();
  sightings.add(sighting);
}

function isDecided(
  { request, attempt, connected, witnessed, spokenAt, sentAt }: Running,
  now: number,
): boolean {
  if (connected && witnessed) return true;
  const grace = spokenAt !== null && now - spokenAt >= GRACE_MS;
  // Seen, and the answer is only late: that is what the full time is for, when it should pass.
  if (grace && !(request.expectPass && witnessed && attempt.answerable)) return true;
  return now - sentAt >= (request.expectPass ? PASS_LIMIT_MS : BLOCKED_LIMIT_MS);
}

function resultOf(
  probe: Running,
  seen: { sent: boolean; refusal?: string },
  now: number,
): ProbeResult {
  const { request, attempt, connected, witnessed } = probe;
  const observation: Observation = {
    ...seen,
    departed: probe.departure === null ? null : probe.departed,
    reachable: probe.reachable(),
    connected,
    witnessed,
    answerable: attempt.answerable,
    witness: probe.witnessPlace,
    missed: probe.witness.missed() - probe.missedBefore,
  };
  return {
    expected: request.expectPass ? "pass" : "blocked",
    sent: seen.sent && (probe.departure === null || probe.departed || witnessed),
    connected,
    witnessed,
    ...judge(request.expectPass, observation),
    latencyMs: now - probe.sentAt,
    sourcePort: attempt.sourcePort,
  };
}

function troubled({ expectPass }: ProbeRequest, trouble: string): ProbeResult {
  const observation: Observation = {
    sent: false,
    departed: null,
    reachable: null,
    connected: false,
    witnessed: false,
    answerable: true,
    witness: "destination",
    missed: 0,
    trouble,
  };
  return {
    expected: expectPass ? "pass" : "blocked",
    sent: false,
    connected: false,
    witnessed: false,
    ...judge(expectPass, observation),
    latencyMs: 0,
    sourcePort: 0,
  };
}

function sentenceOf(error: unknown, { source, destination }: ProbeRequest): string {
  if (error instanceof NotRunningError) return error.message;
  if (isKernelError(error, "EADDRNOTAVAIL"))
    return `${source} or ${destination} is not an address of its workload (any more)`;
  if ((error as NodeJS.ErrnoException).code === "ENOENT")
    return "the network namespace of one end is gone";
  return `the probe could not be made: ${error instanceof Error ? error.message : String(error)}`;
}
