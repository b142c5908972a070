// The program: everything is in HoldfastCommands, where tests reach it.

import HoldfastCommands

@main
enum Holdfast {
    static func main() { HoldfastCommands.main() }
}
