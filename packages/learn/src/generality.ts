/**
 * The rule of generality: when a rule says more than the edges it stands on, and by how much at most. Everything that
 * generalises has its condition and its bound here and nowhere else; `docs/decisions/0123-rule-of-generality.md` has the reasons.
 *
 *   from          to                when                                              at most
 *   copies        their role        always: labels name what a workload is, and       the copies of the two roles, on ports that
 *                                   what one copy alone does seldom is set aside      were seen between two of them
 *   roles         one rule          clients of one service on the same ports, or      nothing more: every role has each of its
 *                                   three and more services of one client             peers and ports in its own evidence
 *   roles         a namespace       names, when every role of it asks the resolver    the resolver's own role
 *   users         all people        two and more need the same of one service         the people of that machine, at the service's end
 *   one protocol  both              names: UDP and TCP are one service (RFC 7766)     port 53 of that resolver
 *   addresses     those of a name   DNS named them for a workload that called them    64 that were seen behind the name, for whoever of
 *                                                                                     the application calls it; more: a person decides
 *   addresses     a few             there is no name                                  8 on a port, each seen; more: a person decides
 *   addresses     a prefix          a person said it (`--range`), never unasked       the prefix; /8 of IPv4 and /16 of IPv6
 *   ports         a range           never: high ports that two agree upon are told    –
 *   rules         fewer rules       a role has more than 32, and joining brings it    twice what the joined needs permit, nothing that
 *                                   down to that                                      was set aside, and nothing for who is suspicious
 *
 * What each rule permits beyond its evidence is counted and told with it: see `slack.ts`.
 */

/** Services that one client uses in the same way are one rule from so many on. */
export const MANY_DESTINATIONS = 3;

/** A service with so many regular clients is common ground: a rare client adds no rule of its own, and names may be a namespace's. */
export const COMMON_CLIENTS = 3;

/** Addresses behind one name, and addresses without a name on one port of one role. */
export const NAMED_ADDRESSES = 64;
export const NAMELESS_ADDRESSES = 8;

/** The widest prefix that a person may say: what registries give to one holder, about. Above that it is the world by another name. */
export const WIDEST_PREFIX = { 4: 8, 6: 16 } as const;

/** Rules that name one role, at either end. */
export const RULES_A_ROLE = 32;

/** A joined rule permits at most so many times what the needs in it permit. */
export const JOINED_AT_MOST = 2;
