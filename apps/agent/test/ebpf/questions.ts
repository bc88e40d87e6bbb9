/** Flows worth asking about: between addresses that policies speak of, at the edges of what they say, and elsewhere. */
import { familyOf, formatIp } from "@bulkhead/model";
import type { HostPolicy, IpAddress, IpFamily, MapSet } from "@bulkhead/model";
import type { Question } from "./judging.ts";

/** Numbers below `limit`, the same for the same seed (xorshift32, Marsaglia 2003). */
export const createRandom = (seed: number): ((limit: number) => number) => {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
};

const addressesOf = ({ subjects, maps, overlay }: MapSet): IpAddress[] => [
  ...subjects.egress.map(([address]) => address),
  ...subjects.ingress.map(([address]) => address),
  ...maps.flatMap(({ exact, ranges }) => [
    ...exact.map(([address]) => address),
    ...ranges.flatMap(([first, last]) => [first, last]),
  ]),
  ...overlay.flatMap(({ peer }) => peer),
];

const subjectsOf = ({ subjects }: MapSet): IpAddress[] =>
  [...subjects.egress, ...subjects.ingress].map(([address]) => address);

const PORTS = [
  0, 1, 52, 53, 54, 67, 68, 79, 80, 81, 443, 546, 547, 999, 1000, 1500, 2000, 2001, 2048, 2049,
  5353, 32_767, 32_768, 32_769, 65_535,
];
/** With a port, or for ICMP type and code; then those without. */
const PORTED = [1, 6, 17, 58, 132, 136];
const PORTLESS = [2, 47, 50, 255];

const pick = <T>(list: readonly T[], random: (limit: number) => number): T =>
  list[random(list.length)] as T;

/** At the edges of what a time-bound entry says, between one of its subjects and one of its peers. */
const aimedAtOverlay = (set: MapSet, random: (limit: number) => number): Question[] =>
  set.overlay.flatMap(({ classId, direction, peer, protocol, ports }): Question[] => {
    const subjects = set.subjects[direction].filter(
      ([address, own]) => own === classId && familyOf(address) === familyOf(peer[0]),
    );
    if (subjects.length === 0) return [];
    const [subject] = pick(subjects, random);
    const other = pick(peer, random);
    const [source, destination] = direction === "egress" ? [subject, other] : [other, subject];
    const port = PORTED.includes(protocol)
      ? pick([...ports, Math.max(0, ports[0] - 1), Math.min(65_535, ports[1] + 1)], random)
      : 0;
    return [{ source, destination, protocol, port, fromMachine: true }];
  });

/** Where exemptions begin and end: leases, resolvers, and one's own addresses. */
const aimedAtExemptions = (policy: HostPolicy, random: (limit: number) => number): Question[] => {
  const mine = policy.endpoints.flatMap(({ addresses }) => addresses);
  const servers = [...policy.hostAddresses, "255.255.255.255", "ff02::1:2"];
  const resolvers = policy.profile.dns ?? [];
  const pairs: [IpAddress, IpAddress, number][] = [
    ...mine.flatMap((address) => servers.map((to): [string, string, number] => [address, to, 67])),
    ...mine.flatMap((address) => servers.map((to): [string, string, number] => [address, to, 547])),
    ...policy.hostAddresses.flatMap((from) =>
      mine.map((to): [string, string, number] => [from, to, pick([68, 546, 67], random)]),
    ),
    ...mine.flatMap((from) =>
      resolvers.map(({ address, port }): [string, string, number] => [from, address, port]),
    ),
    ...mine.flatMap((from) => mine.map((to): [string, string, number] => [from, to, 80])),
  ];
  return pairs
    .filter(([source, destination]) => familyOf(source) === familyOf(destination))
    .map(([source, destination, port]) => {
      const protocol = pick([6, 17, 17, 132], random);
      return { source, destination, protocol, port, fromMachine: true };
    });
};

/** A policy's addresses are taken seven times of eight, one that it judges as every second end. */
export const questionsAbout = (
  policy: HostPolicy,
  count: number,
  random: (limit: number) => number,
): Question[] => {
  const sets = [policy.live, policy.shadow, ...(policy.canary ? [policy.canary.maps] : [])];
  const known = [
    ...sets.flatMap(addressesOf),
    ...policy.hostAddresses,
    ...policy.endpoints.flatMap(({ addresses }) => addresses),
    ...(policy.profile.dns ?? []).map(({ address }) => address),
    "255.255.255.255",
    "ff02::1:2",
  ];
  const judged = sets.flatMap(subjectsOf);
  const stranger = (family: IpFamily): IpAddress =>
    formatIp(family, (family === 4 ? 0x0a000000n : 0xfd00n << 112n) + BigInt(random(410)));
  const inFamily = (list: readonly IpAddress[], family: IpFamily): IpAddress => {
    const own = list.filter((address) => familyOf(address) === family);
    return own.length > 0 && random(8) > 0 ? pick(own, random) : stranger(family);
  };
  const aimed = [
    ...sets.flatMap((set) => [1, 2, 3].flatMap(() => aimedAtOverlay(set, random))),
    ...aimedAtExemptions(policy, random).slice(0, count),
  ];
  const anywhere = Array.from({ length: count }, (): Question => {
    const family: IpFamily = random(2) === 0 ? 4 : 6;
    const [one, other] = [inFamily(judged, family), inFamily(known, family)];
    const [source, destination] = random(2) === 0 ? [one, other] : [other, one];
    const ported = random(5) > 0;
    const translated = random(4) === 0;
    return {
      source,
      destination,
      protocol: pick(ported ? PORTED : PORTLESS, random),
      port: ported ? pick(PORTS, random) : 0,
      fromMachine: true,
      ...(translated
        ? {
            addressed: {
              destination: inFamily(known, family),
              port: ported ? pick(PORTS, random) : 0,
            },
          }
        : {}),
    };
  });
  return [...anywhere, ...aimed];
};
