// What a machine remembers of a copy that it has made: what is gone from there later is missed.

internal import Platform

extension Replica {
    /// More images than any rules keep: a source of so many is not remembered whole.
    private static let rememberedImages = 1 << 17

    /// Takes note of what the target has now. What is not noted is taken for what that place lacks at the first look at it, and told.
    func remember(_ machine: MachineState, _ store: Identifier, at place: BytePath?) {
        guard let imagesThere else { return }
        // A rescue system may remember nothing.
        try? machine.looking(at: place).remember(store) {
            $0.copied(imagesThere.prefix(Self.rememberedImages), record: chain.newest.number)
        }
    }
}
