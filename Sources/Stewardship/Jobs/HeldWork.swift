// Since when the plant holds work, so that a hold that nobody takes back is told: without it a run would rest for ever, and all that anybody
// saw would be a job that is late.
//
//     <state>/jobs/held     there from the first look that found a hold to the first that found none; replaced whole
//
// It may stay behind where a run is ended that rests: the next look of the timer takes it away.

internal import FoundationEssentials
public import Machine
internal import Platform
internal import Reporting

public struct HeldWork: Codable, Hashable, Sendable {
    /// Seconds since 1970.
    public let since: Int64
    /// What has said so, in words.
    public let by: String

    /// nil: nothing holds work, as far as is known. What cannot be read is not known, and the next look notes it anew.
    public static func read(_ places: Places) -> HeldWork? {
        guard let bytes = try? readRegular(places.heldWork, limit: 1 << 14),
            let held = try? JSONDecoder().decode(HeldWork.self, from: Data(bytes)), calendarRange.contains(held.since)
        else { return nil }
        return held
    }

    /// Takes note that work is held. What was noted before stays: it is the same rest.
    /// - Returns: why it is not on record, in a sentence; nil where it is.
    static func note(_ reason: String, _ places: Places, now: Int64) -> String? {
        if let known = read(places), known.since <= now { return nil }
        do {
            try makeFolders(places.jobs, mode: 0o755)
            let held = HeldWork(since: now, by: JobRecord.short(reason))
            try replaceFile(places.heldWork, Array(try JSONEncoder().encode(held)), mode: 0o644)
            return nil
        } catch { return "since when the plant holds work is not on record: \(explained(error).sentence)" }
    }

    /// Nothing holds work any more.
    static func end(_ places: Places) {
        // What stays is taken away at the next look.
        try? removeFile(places.heldWork)
    }

    /// Looks once more whether what was noted still holds: where nothing is due, nothing else does.
    public static func review(_ hold: Hold?, _ places: Places) {
        guard exists(places.heldWork) else { return }
        if let hold, (try? hold.check()) == nil || hold.reason(nil) != nil { return }
        end(places)
    }

    /// What a job has to say to it: a rest of more than its interval is one that somebody has forgotten, or a plant that never lets it be done.
    /// - Parameter interval: nil: whoever asks for the job sees that it rests.
    func objection(every interval: Int64?, now: Int64) -> String? {
        let length = now - since
        guard let interval, length >= interval else { return nil }
        return "the plant has held work for \(JobHealth.words(length)): \(by)"
    }
}
