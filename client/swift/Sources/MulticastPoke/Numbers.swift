import SwiftProtobuf

/// A time on the clock of the one who uses it.
typealias Moment = Duration

/// A uniformly random part of a duration. Tests load the dice.
typealias Dice = @Sendable (Duration) -> Duration

/// Every number of client/README.md, by its name there.
enum Numbers {
    static let coalesce = Duration.milliseconds(50)
    static let changeInterval = Duration.seconds(1)
    static let backoffMin = Duration.milliseconds(500)
    static let backoffMax = Duration.seconds(30)
    static let provedAfter = Duration.seconds(30)
    static let welcomeWithin = Duration.seconds(10)
    static let maxDoublings = 3
    static let assumedLimit = 100
    static let glance = Duration.seconds(5)
    static let eventBuffer = 64
    static let deadline = Duration.seconds(10)
    static let shortestAttempt = Duration.seconds(1)
    static let connecting = Duration.seconds(4)
    static let heartbeatInterval = Duration.seconds(20)
}

func uniform(_ bound: Duration) -> Duration { bound * Double.random(in: 0...1) }

/// Full-jitter backoff: a random wait below a bound that doubles.
struct Backoff {
    private var failures = 0

    /// With so much time left a wait takes half of it at most, as long as that isn't less than the first bound.
    mutating func next(before left: Duration = .seconds(86_400), dice: Dice) -> Duration {
        let largest = max(Numbers.backoffMin, min(left / 2, Numbers.backoffMax))
        let bound = min(Numbers.backoffMin * (1 << min(failures, 16)), largest)
        failures += 1
        return dice(bound)
    }

    /// The first wait of a row is below `spread`.
    mutating func next(spread: Duration, dice: Dice) -> Duration {
        if failures > 0 { return next(dice: dice) }
        failures = 1
        return dice(spread)
    }

    mutating func reset() { failures = 0 }
}

extension Duration {
    /// At least zero, at most a day: what is longer is no plan, and would overflow sums.
    var bounded: Duration { max(.zero, min(self, .seconds(86_400))) }

    init(wire: Google_Protobuf_Duration) {
        let seconds = max(-1, min(wire.seconds, 86_400))
        self = (.seconds(seconds) + .nanoseconds(Int64(wire.nanos))).bounded
    }
}
