@main
enum Holdfast {
    static func main() {}
}
