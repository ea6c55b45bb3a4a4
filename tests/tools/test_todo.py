async def test_the_list_is_kept_and_told_in_short(desk):
    todos = [
        {"content": "Find it", "status": "completed", "activeForm": "Finding it"},
        {"content": "Mend it", "status": "in_progress", "activeForm": "Mending it"},
        {"content": "Test it", "status": "pending"},
    ]
    assert await desk.text("TodoWrite", todos=todos) == "1 of 3 done. Now: Mend it"
    assert desk.context.todos == todos
    data = await desk.data("TodoWrite", todos=[])
    assert data == {"oldTodos": todos, "newTodos": []}


async def test_a_wrong_status_names_the_right_ones(desk):
    error = await desk.error("TodoWrite", todos=[{"content": "x", "status": "done"}])
    assert "`todos.0.status`" in error
    assert "'pending', 'in_progress' or 'completed', not \"done\"" in error
